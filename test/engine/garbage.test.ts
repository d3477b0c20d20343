import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectWarehouse } from '../../src/warehouse/client.ts';
import { findRunningWarehouse } from '../../src/warehouse/embedded/endpoint-file.ts';
import { backfill, createExport, yesterday } from '../flows/main-job.ts';
import { dataFiles, readEvents } from '../kit/duckdb.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/**
 * Garbage in properties, all the way: through the capture endpoint (and, for what capture would not let in,
 * straight into ClickHouse) to files that DuckDB and `JSON.parse` read. `hostile.test.ts` has the encoder alone.
 */

const { start, end } = yesterday();
const day = start.toISOString().slice(0, 10);
const noon = new Date(start.getTime() + 43_200_000).toISOString();

const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

/** Name → the JSON text of `properties` as a client sends it. */
const SENT: Readonly<Record<string, string>> = {
  empty: '{}',
  nul: '{"v":"a\\u0000b","\\u0000":1}',
  'lone high surrogate': '{"v":"x\\ud800y"}',
  'lone low surrogate in a key': '{"\\udc00":"v"}',
  'pair the wrong way round': '{"v":"\\udc00\\ud800"}',
  'a real pair': '{"v":"\\ud83d\\ude00"}',
  '300 levels': deep(300),
  'beyond doubles': '{"v":[1e400,-1e400,1e-400]}',
  '20 digits': '{"v":12345678901234567890,"w":-98765432109876543210}',
  '23 digits': '{"v":12345678901234567890123}',
  'duplicate keys': '{"v":1,"v":2}',
  'a fraction of many digits': '{"v":0.1234567890123456789012345}',
  'separators of lines': '{"v":"\u2028\u2029\\r\\n\\t\x7f"}',
  '5 MB': JSON.stringify({ v: 'ü'.repeat(2_500_000) }),
  'many keys': JSON.stringify(Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i]))),
  'quotes and slashes': '{"v":"\\"\\\\\\/\\b\\f","":{"":""}}',
};

/** What only a broken writer puts into the table, and what JSON Lines make of it. */
const INSERTED: Readonly<Record<string, [stored: string | Buffer, exported: unknown]>> = {
  'no text': ['', null],
  'no JSON': ['{"v":', '{"v":'],
  'raw control characters': ['{"v":"a\u0001b\u0000c"}', { v: 'a\u0001b\u0000c' }],
  'not a number': ['{"v":NaN}', { v: null }],
  'escaped half of a pair': ['{"v":"\\ud800"}', { v: '\ufffd' }],
  'a byte order mark': ['\ufeff{"v":\n1}', { v: 1 }],
  'a byte order mark and a broken number': ['\ufeff{"v":NaN}', { v: null }],
  'broken UTF-8': [Buffer.from('7b2276223a22ff227d', 'hex'), { v: '\ufffd' }],
};
/** Of those, the ones that had to be changed: an empty text and a mere byte order mark are not. */
const CLEANED = Object.keys(INSERTED).length - 2;

let sluice: RunningSluice;
const uuids = new Map<string, string>();
const nameOf = (uuid: string) => [...uuids].find(([, known]) => known === uuid)?.[0] ?? uuid;

beforeAll(async () => {
  sluice = await startSluice();
  for (const name of [...Object.keys(SENT), ...Object.keys(INSERTED)]) uuids.set(name, crypto.randomUUID());
  for (const [name, properties] of Object.entries(SENT)) await send(name, properties);
  await insert();
});
afterAll(async () => {
  expect(await sluice.stop()).toBe(0);
});

/** The body is written by hand: `JSON.stringify` would not let these properties through. */
async function send(name: string, properties: string): Promise<void> {
  const event = `"event":"e","distinct_id":"d","uuid":"${uuids.get(name)}","timestamp":"${noon}"`;
  const body = `{"api_key":"${sluice.ready.project_api_key}","batch":[{${event},"properties":${properties}}]}`;
  const answer = await fetch(`${sluice.ready.url}/batch/?ip=0`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  expect(answer.status, `${name}: ${await answer.text()}`).toBe(200);
}

async function insert(): Promise<void> {
  const endpoint = await findRunningWarehouse(sluice.dataDir);
  const warehouse = connectWarehouse({ url: endpoint?.url ?? '', localFiles: true });
  try {
    const rows = Object.entries(INSERTED).map(([name, [stored]]) => {
      const hex = Buffer.from(stored as string).toString('hex');
      return `('${uuids.get(name)}', ${sluice.ready.project_id}, 'e', 'd', unhex('${hex}'), parseDateTime64BestEffort('${noon}'), now64(6), now64(6))`;
    });
    await warehouse.command({
      sql: `INSERT INTO events (uuid, team_id, event, distinct_id, properties, timestamp, created_at, inserted_at) VALUES ${rows.join(', ')}`,
    });
  } finally {
    await warehouse.close();
  }
}

interface Exported {
  readonly folder: string;
  readonly proof: { readonly cleaned: number };
  readonly messages: readonly string[];
}

async function exported(format: string, compression: string | null): Promise<Exported> {
  const prefix = `${format}-${compression}`;
  const id = await createExport(sluice, {
    type: 'Filesystem',
    config: { prefix, file_format: format, compression },
  });
  const [run] = await backfill(sluice, id, day, end.toISOString().slice(0, 10));
  expect(run).toMatchObject({ status: 'Completed', records_completed: uuids.size, latest_error: null });
  const base = `/api/projects/${sluice.ready.project_id}/batch_exports/${id}/runs/${run?.id}`;
  const { body } = await sluice.api<Pick<Exported, 'proof'>>('GET', `${base}/`);
  const logs = await sluice.api<{ results: { message: string }[] }>('GET', `${base}/logs/`);
  return {
    folder: join(sluice.dataDir, 'exports', prefix),
    proof: body.proof,
    messages: logs.body.results.map(({ message }) => message),
  };
}

/** What has halves of surrogate pairs is no text in UTF-8: each becomes U+FFFD. */
const HALVES = ['lone high surrogate', 'lone low surrogate in a key', 'pair the wrong way round'];
const wellFormed = (text: string) =>
  JSON.parse(text, (_, value: unknown) => {
    if (typeof value === 'string') return value.toWellFormed();
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toWellFormed(), item]));
  }) as unknown;

describe('JSON Lines', () => {
  it('has every event; valid JSON is what was sent, the rest is mended and counted', async () => {
    const { folder, proof, messages } = await exported('JSONLines', null);
    const lines = dataFiles(folder).flatMap((path) => readFileSync(path, 'utf8').trimEnd().split('\n'));
    const values = new Map(
      lines
        .map((line) => JSON.parse(line) as { uuid: string; properties: unknown })
        .map(({ uuid, properties }) => [nameOf(uuid), properties]),
    );
    expect([...values.keys()].sort()).toEqual([...uuids.keys()].sort());
    for (const [name, sent] of Object.entries(SENT)) expect(values.get(name), name).toEqual(wellFormed(sent));
    for (const [name, [, value]] of Object.entries(INSERTED)) expect(values.get(name), name).toEqual(value);
    const text = (name: string) => lines.find((line) => line.includes(uuids.get(name) ?? '?')) ?? '';
    for (const name of [
      '20 digits',
      '23 digits',
      'duplicate keys',
      'beyond doubles',
      'a fraction of many digits',
    ]) {
      expect(text(name), name).toContain(SENT[name]);
    }
    expect(proof.cleaned).toBe(HALVES.length + CLEANED);
    expect(messages.join('\n')).toMatch(new RegExp(`\\b${proof.cleaned}\\b.*JSON`));
    const read = await readEvents(folder);
    expect(read.map(({ uuid }) => nameOf(uuid)).sort()).toEqual([...uuids.keys()].sort());
  });

  it.each(['gzip', 'zstd'])('has them compressed with %s, too', async (compression) => {
    const { folder, proof } = await exported('JSONLines', compression);
    const read = await readEvents(folder);
    expect(read.map(({ uuid }) => nameOf(uuid)).sort()).toEqual([...uuids.keys()].sort());
    expect(proof.cleaned).toBe(HALVES.length + CLEANED);
  });
});

describe('Parquet', () => {
  it.each(['zstd', null])('holds every text as it is, %s', async (compression) => {
    const { folder } = await exported('Parquet', compression);
    const read = new Map((await readEvents(folder)).map((row) => [nameOf(row.uuid), row.properties]));
    expect([...read.keys()].sort()).toEqual([...uuids.keys()].sort());
    for (const [name, sent] of Object.entries(SENT)) expect(read.get(name) === sent, name).toBe(true);
    for (const [name, [stored]] of Object.entries(INSERTED)) {
      const text = typeof stored === 'string' ? stored : '{"v":"\ufffd"}';
      // The reader's own decoder takes a byte order mark away.
      expect(read.get(name), name).toBe(text.replace(/^\ufeff/, '') || null);
    }
  });
});
