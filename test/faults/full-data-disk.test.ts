import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ApiAnswer, type RunningSluice, startSluice } from '../kit/sluice.ts';
import { mayMount, type SmallDisk, smallDisk } from '../kit/small-disk.ts';
import { createExport, expectDelivered, pathOf, startBackfill, untilEnded } from './check.ts';
import { filesystem } from './destinations.ts';
import { makeEvents, type Range, type SentEvent, send } from './events.ts';
import { LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 7: the disk of the embedded engines is full, the exports' is not. Nothing acknowledged is lost, nothing
 * answers 500, and all goes on by itself when there is room.
 */
const TURNS = LONG ? 10 : 1;

const yesterday = Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000;
const range: Range = { start: new Date(yesterday), end: new Date(yesterday + 3_600_000) };

describe.skipIf(!mayMount())('the data directory on a disk that is full', () => {
  const random = seeded(11);
  const root = mkdtempSync(join(tmpdir(), 'sluice-full-out-'));
  const place = filesystem(root);
  const acknowledged: SentEvent[] = [];
  /** Refused once; they may be stored all the same. */
  const refused: SentEvent[][] = [];
  let disk: SmallDisk;
  let dataDir: string;
  let sluice: RunningSluice;
  let prefixes = 0;

  const start = async () => {
    sluice = await startSluice({ dataDir, env: { SLUICE_FILES_ROOT: root, SLUICE_RETRY_SECONDS: '1' } });
  };

  beforeAll(() => {
    disk = smallDisk(400);
    dataDir = join(disk.path, 'data');
  });
  afterAll(async () => {
    await sluice?.kill();
    disk?.remove();
    rmSync(root, { recursive: true, force: true });
  });

  /** Begins to export all that is acknowledged into a file of its own; resolves with the wait for that. */
  async function beginExport(): Promise<() => Promise<void>> {
    const prefix = `full/${prefixes++}`;
    const id = await createExport(sluice, place.destination(prefix, { file_format: 'JSONLines' }));
    const uuids = acknowledged.map(({ uuid }) => uuid);
    await startBackfill(sluice, id, range);
    return async () => expectDelivered(place, prefix, await untilEnded(sluice, id), uuids);
  }
  const exportAll = async () => (await beginExport())();

  /** 200, or 503 and to be sent again. */
  async function capture(events: SentEvent[]): Promise<boolean> {
    try {
      await send(sluice.ready, events);
      acknowledged.push(...events);
      return true;
    } catch (error) {
      expect(String(error)).toMatch(/answered 503/);
      return false;
    }
  }

  /** Changes the export until the database has no room for more; resolves with that answer. */
  async function untilRefused(id: string): Promise<ApiAnswer<Record<string, unknown>>> {
    for (;;) {
      const answer = await change(id);
      if (answer.status !== 200) return answer;
    }
  }

  const change = (id: string) =>
    sluice.api('PATCH', `${pathOf(sluice, id)}/`, { name: `changed ${random()}` });

  it(
    'changes and captures are refused with 503, and succeed again when there is room',
    async () => {
      for (let turn = 0; turn < TURNS; turn++) {
        await start();
        expect(await capture(makeEvents(200, range, 400, random))).toBe(true);
        const id = await createExport(sluice, place.destination('never', { file_format: 'JSONLines' }));
        await exportAll();

        const delivered = await beginExport();
        disk.fill();
        const events = makeEvents(50, range, 400, random);
        if (!(await capture(events))) refused.push(events);
        expect(refused).not.toEqual([]);
        expect(await untilRefused(id)).toMatchObject({
          status: 503,
          body: { detail: expect.stringContaining('full') },
        });
        expect((await sluice.api('GET', '/livez')).status).toBe(200);

        disk.makeRoom();
        const soon = { timeout: 20_000, interval: 50 };
        await vi.waitFor(async () => expect((await change(id)).status).toBe(200), soon);
        for (const again of refused.splice(0)) {
          await vi.waitFor(async () => expect(await capture(again)).toBe(true), soon);
        }
        await delivered();
        await exportAll();
        expect(await sluice.stop()).toBe(0);
      }
    },
    60_000 * TURNS,
  );

  it('a start is refused, says why, and succeeds when there is room', async () => {
    await start();
    disk.fill();
    expect(await sluice.stop()).toBe(0);
    await expect(start()).rejects.toThrow(/exited with 1 [\s\S]*disk is full; make room on it/);
    disk.makeRoom();
    await start();
    await exportAll();
  });
});
