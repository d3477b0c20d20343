import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Shop, startShop } from '../browser/shop.ts';
import { type Chromium, startChromium } from '../kit/chromium.ts';
import { type ReadEvent, readEvents } from '../kit/duckdb.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { backfill, createExport } from './main-job.ts';

let sluice: RunningSluice;
let shop: Shop;
let chromium: Chromium;
beforeAll(async () => {
  [sluice, chromium] = await Promise.all([startSluice(), startChromium()]);
  shop = await startShop(sluice.ready.url, sluice.ready.project_api_key);
});
afterAll(async () => {
  await chromium?.close();
  await shop?.close();
  await sluice?.stop();
});

it('what posthog-js in a browser sends is what DuckDB reads from the export', async () => {
  const from = new Date(Date.now() - 60_000);
  const page = await chromium.browser.newPage();
  await page.goto(`${shop.url}/?utm_source=flow`);
  await page.click('#buy');
  const clicked = await exported(from, (events) => events.includes('$autocapture'));
  await page.close();
  const view = clicked.find((event) => event.event === '$pageview');
  const click = clicked.find((event) => event.event === '$autocapture');
  expect(JSON.parse(view?.properties ?? '{}')).toMatchObject({ utm_source: 'flow', $lib: 'web' });
  expect(click?.elements_chain).toMatch(/^button\.btn\.primary:/);
  expect(click?.distinct_id).toBe(view?.distinct_id);
});

/** Exports anew until the browser's batches have arrived: it sends them when it likes. */
async function exported(from: Date, complete: (events: string[]) => boolean): Promise<ReadEvent[]> {
  let turn = 0;
  return vi.waitFor(
    async () => {
      const prefix = `browser-${++turn}`;
      const id = await createExport(sluice, { type: 'Filesystem', config: { prefix } }, 'hour');
      await backfill(sluice, id, from.toISOString(), new Date().toISOString());
      const events = await readEvents(join(sluice.dataDir, 'exports', prefix)).catch(() => []);
      expect(complete(events.map((event) => event.event))).toBe(true);
      return events;
    },
    { timeout: 40_000, interval: 300 },
  );
}
