import { gzipSync } from 'node:zlib';
import { demoEvents } from '../src/demo/events.ts';
import { idleLoad, projectLoad, stallLine } from './beside.ts';
import type { Claim, Line } from './claim.ts';
import { loadUntil } from './load.ts';
import { dataFolder, type Server, startServer } from './server.ts';

const BYTES = 19_000_000;
const BATCHES = 5;
const PER_SECOND = 50;

/** People look at lists while a client sends history in the largest batches there are. */
export const largeBatch: Claim = {
  name: 'large-batch',
  title: `GET lists at ${PER_SECOND} per second while ${BATCHES} batches of 19 MB are captured, one after the other`,
  run: async () => {
    using folder = dataFolder();
    await using server = await startServer(folder.path);
    const { text, events } = largestBatch(server.sluice.ready.project_api_key);
    const load = projectLoad(server, ['/batch_exports/'], PER_SECOND);
    const idle = await idleLoad(load);
    const lines: Line[] = [];
    for (const [encoding, body] of [
      [null, Buffer.from(text)],
      ['gzip', gzipSync(text)],
    ] as const) {
      const busy = await loadUntil(load, capture(server, body, encoding));
      lines.push(stallLine(`${events} events each, ${encoding ?? 'plain'}`, busy, idle));
    }
    return lines;
  },
};

/** The first large batch that a server gets is measured, too: it starts the thread that reads them. */
async function capture(server: Server, body: Buffer, encoding: string | null): Promise<void> {
  for (let batch = 0; batch < BATCHES; batch++) {
    const answer = await fetch(`${server.sluice.ready.url}/batch/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(encoding && { 'content-encoding': encoding }) },
      body: new Uint8Array(body),
    });
    if (!answer.ok) throw new Error(`/batch/ answered ${answer.status}: ${await answer.text()}`);
    await answer.text();
  }
}

function largestBatch(key: string): { text: string; events: number } {
  const range = { start: new Date('2026-03-01'), end: new Date('2026-03-02') };
  const events: string[] = [];
  let bytes = 0;
  for (const { distinctId, ...event } of demoEvents({ seed: 7, ...range, count: 40_000 })) {
    const text = JSON.stringify({ ...event, distinct_id: distinctId });
    bytes += text.length + 1;
    if (bytes > BYTES) break;
    events.push(text);
  }
  return { text: `{"api_key":"${key}","batch":[${events.join(',')}]}`, events: events.length };
}
