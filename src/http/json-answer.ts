import { portionsOf } from '../work/portions.ts';

/** A hundred exports with their latest runs are 600 kB of JSON, 2 ms. */
const PORTION = 100;

/**
 * An answer's JSON. A long list, the body itself or its `results`, is written in portions with a turn for others in
 * between: ten thousand exports with their latest runs are 59 MB.
 */
export async function jsonAnswer(body: unknown): Promise<string | Buffer> {
  if (isLong(body)) return Buffer.concat(await listParts(body));
  const page = body as { readonly results?: unknown } | null;
  if (typeof page !== 'object' || page === null || !isLong(page.results)) return JSON.stringify(body);
  const parts: Buffer[] = [];
  for (const [key, value] of Object.entries(page)) {
    if (value === undefined) continue;
    parts.push(Buffer.from(`${parts.length === 0 ? '{' : ','}${JSON.stringify(key)}:`));
    if (key === 'results') parts.push(...(await listParts(page.results)));
    else parts.push(Buffer.from(JSON.stringify(value)));
  }
  return Buffer.concat([...parts, Buffer.from('}')]);
}

const isLong = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) && value.length > PORTION;

async function listParts(items: readonly unknown[]): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for await (const portion of portionsOf(items, PORTION)) {
    const text = JSON.stringify(portion).slice(1, -1);
    parts.push(Buffer.from(parts.length === 0 ? `[${text}` : `,${text}`));
  }
  return [...parts, Buffer.from(']')];
}
