import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { pathOf, untilEnded } from './check.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 3: the server dies while it answers. What it acknowledged is so after the restart; what it did not
 * acknowledge happened whole or not at all; nothing is stuck.
 */
const KILLS = LONG ? 500 : 5;
const CLIENTS = 3;
const LONGEST_LIFE_MS = 500;

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-calls-'));
let sluice: RunningSluice | undefined;

afterAll(async () => {
  await sluice?.kill();
  rmSync(dataDir, { recursive: true, force: true });
});

/** What is known of one export. A call without an answer adds a possibility; an answer leaves one. */
interface Known {
  readonly name: string;
  id: string | null;
  /** Which of these the export may be in now. */
  states: Set<'absent' | 'running' | 'paused' | 'deleted'>;
  backfills: string[];
}

/** One client: makes exports and plays with each until the server is gone. */
async function play(
  server: RunningSluice,
  client: string,
  random: () => number,
  answered: () => void,
): Promise<Known[]> {
  const known: Known[] = [];
  const base = `/api/projects/${server.ready.project_id}/batch_exports`;
  try {
    for (let n = 0; ; n++) {
      const one: Known = {
        name: `${client}-${n}`,
        id: null,
        states: new Set(['absent', 'running']),
        backfills: [],
      };
      known.push(one);
      const made = await server.api<{ id: string }>('POST', `${base}/`, body(one.name));
      expect(made.status).toBe(201);
      one.id = made.body.id;
      one.states = new Set(['running']);
      answered();
      for (let step = 0; step < 3; step++) await act(server, one, random());
    }
  } catch (error) {
    // The connection broke: the server is dead. Anything else is a failure of the test.
    const broken = error instanceof TypeError || error instanceof SyntaxError;
    if (!broken || !server.process.killed) throw error;
  }
  return known;
}

async function act(server: RunningSluice, one: Known, choice: number): Promise<void> {
  if (one.id === null || one.states.has('deleted')) return;
  const path = pathOf(server, one.id);
  if (choice < 0.15) {
    one.states.add('deleted');
    expect((await server.api('DELETE', `${path}/`)).status).toBe(204);
    one.states = new Set(['deleted']);
  } else if (choice < 0.4) {
    const range = { start_at: '2026-01-01T00:00:00Z', end_at: '2026-01-01T03:00:00Z' };
    const asked = await server.api<{ backfill_id: string }>('POST', `${path}/backfills/`, range);
    if (asked.status === 201) one.backfills.push(asked.body.backfill_id);
    else expect([409, 429]).toContain(asked.status);
  } else {
    const [verb, state] = choice < 0.7 ? (['pause', 'paused'] as const) : (['unpause', 'running'] as const);
    one.states.add(state);
    expect((await server.api('POST', `${path}/${verb}/`, {})).status).toBe(200);
    one.states = new Set([state]);
  }
}

const body = (name: string) => ({
  name,
  interval: 'hour',
  destination: { type: 'Filesystem', config: { prefix: name, file_format: 'Parquet' } },
});

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly paused: boolean;
}

async function expectSo(server: RunningSluice, known: readonly Known[]): Promise<void> {
  const base = `/api/projects/${server.ready.project_id}/batch_exports`;
  const { body: list } = await server.api<{ results: Listed[] }>('GET', `${base}/?limit=10000`);
  for (const { name, id, states, backfills } of known) {
    const found = list.results.filter((each) => each.name === name);
    expect(found.length, `${name} is there at most once`).toBeLessThanOrEqual(1);
    const [it] = found;
    const state = it ? (it.paused ? 'paused' : 'running') : id === null ? 'absent' : 'deleted';
    expect([...states], name).toContain(state);
    if (!it) continue;
    if (id !== null) expect(it.id).toBe(id);
    await untilEnded(server, it.id, 20_000);
    for (const backfill of backfills) {
      const answer = await server.api<{ status: string }>('GET', `${base}/${it.id}/backfills/${backfill}/`);
      expect(answer.body.status).toBe('Completed');
    }
  }
}

it(
  `killed ${KILLS} times while it answers, it keeps what it acknowledged`,
  async () => {
    const random = seeded(chooseSeed('kill-during-calls'));
    sluice = await startSluice({ dataDir, env: { SLUICE_MAX_BACKFILLS: '1000' } });
    let acknowledged = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const server: RunningSluice = sluice;
      const first = Promise.withResolvers<void>();
      const clients = Array.from({ length: CLIENTS }, (_, n) =>
        play(server, `k${kill}c${n}`, seeded(random() * 2 ** 31), first.resolve),
      );
      // Every other life begins with an answer, however slow the machine: there must be something to keep.
      if (kill % 2 === 0) await Promise.race([first.promise, Promise.all(clients)]);
      await pause(random() * LONGEST_LIFE_MS);
      await server.kill();
      const known = (await Promise.all(clients)).flat();
      acknowledged += known.filter(({ id }) => id !== null).length;
      sluice = await startSluice({ dataDir, env: { SLUICE_MAX_BACKFILLS: '1000' } });
      await expectSo(sluice, known);
    }
    expect(acknowledged, 'the server answered something before it died').toBeGreaterThan(0);
  },
  KILLS * 30_000,
);
