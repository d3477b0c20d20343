import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

export interface Shop {
  readonly url: string;
  close(): Promise<void>;
}

/** A small web page on an origin of its own that uses posthog-js as a bundled npm package would. */
export async function startShop(captureUrl: string, projectKey: string): Promise<Shop> {
  const library = readFileSync(fileURLToPath(import.meta.resolve('posthog-js/dist/module.js')));
  const pages = new Map([
    ['/posthog.js', { type: 'text/javascript', body: library }],
    ['/', { type: 'text/html; charset=utf-8', body: page(captureUrl, projectKey) }],
    ['/thanks', { type: 'text/html; charset=utf-8', body: '<title>Thanks</title><h1>Merci ✓</h1>' }],
    ['/favicon.ico', { type: 'image/x-icon', body: '' }],
  ]);
  const server = createServer((request, response) => {
    const found = pages.get(new URL(request.url ?? '/', 'http://shop').pathname);
    response.writeHead(found ? 200 : 404, { 'content-type': found?.type ?? 'text/plain' }).end(found?.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function page(captureUrl: string, projectKey: string): string {
  const options = {
    api_host: captureUrl,
    // The browser of the tests calls itself headless, which the library takes for a robot.
    opt_out_useragent_filter: true,
    request_queue_config: { flush_interval_ms: 250 },
  };
  return `<!doctype html><title>Küchenladen</title>
    <main><button id="buy" class="btn primary">Buy «抹茶»</button></main>
    <script type="module">
      import posthog from '/posthog.js';
      window.posthog = posthog;
      posthog.init(${JSON.stringify(projectKey)}, ${JSON.stringify(options)});
    </script>`;
}
