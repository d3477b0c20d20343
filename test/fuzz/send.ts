import { type Agent, request } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Outgoing {
  readonly method: string;
  /** As it goes over the wire: nothing is normalised. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
}

/** Sends one request as it is. Rejects when the line is cut before a whole answer came. */
export function send(url: string, agent: Agent, { method, path, headers, body }: Outgoing): Promise<Reply> {
  const { hostname, port } = new URL(url);
  const bytes = body === null ? null : Buffer.from(body);
  return new Promise((resolve, reject) => {
    const call = request({
      agent,
      hostname,
      port,
      method,
      path,
      headers: { ...headers, ...(bytes === null ? {} : { 'content-length': String(bytes.length) }) },
      timeout: 30_000,
    });
    call.on('timeout', () => call.destroy(new Error('no answer within 30 s')));
    call.on('error', reject);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        });
      });
    });
    call.end(bytes ?? undefined);
  });
}
