import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bulkEvents } from '../../src/demo/bulk.ts';
import { kindOf } from '../../src/errors/error.ts';
import { openBucket } from '../../src/export/destinations/s3/target.ts';
import type { FileOptions } from '../../src/export/spec.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { connectionTo } from '../destinations/connection.ts';
import { testPorts } from '../destinations/ports.ts';
import { altered, exportWith, HOUR, liveSpec, memoryLedger, PLAIN_FILES, START } from '../engine/fixture.ts';
import { readEvents } from '../kit/duckdb.ts';
import { type S3Server, startS3 } from '../kit/s3/server.ts';
import { mayMount, type SmallDisk, smallDisk } from '../kit/small-disk.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { LONG } from './random.ts';

/** anchors.md D.3, row 7: the disk that files for a bucket are spooled on becomes full while the engine writes one. */
const TEAM = 77;
/** Compressed lines of so many are read back while they grow. */
const ROWS = 60_000;
/** The reserve that spooling leaves alone, and room for the rows. */
const DISK_MIB = 1_400;
/** Less than any of the files. */
const LEFT = 1_048_576;

/** One whose file is looked at when it is written, and one that is read back while it grows; long: all kinds. */
const FORMATS: readonly Pick<FileOptions, 'format' | 'compression'>[] = [
  { format: 'Parquet', compression: 'zstd' },
  { format: 'JSONLines', compression: 'zstd' },
  ...(LONG
    ? ([
        { format: 'JSONLines', compression: null },
        { format: 'JSONLines', compression: 'gzip' },
      ] as const)
    : []),
];

describe.skipIf(!mayMount())('the spool on a disk that becomes full', () => {
  let warehouse: TestWarehouse;
  let server: S3Server;
  let disk: SmallDisk;
  let spool: string;

  beforeAll(async () => {
    [warehouse, server] = await Promise.all([startTestWarehouse(), startS3({ buckets: ['lake'] })]);
    disk = smallDisk(DISK_MIB);
    spool = join(disk.path, 'spool');
    mkdirSync(spool);
    const hour = { from: new Date(START), to: new Date(START + HOUR) };
    await warehouse.warehouse.command(
      bulkEvents({ rows: ROWS, offset: 0, seed: 3, teamId: TEAM, timestamps: hour, arrivals: hour }),
    );
  });
  afterEach(() => disk.makeRoom());
  afterAll(async () => {
    disk?.remove();
    await Promise.all([warehouse?.close(), server?.stop()]);
  });

  const open = () => openBucket(connectionTo(server, 'lake'), testPorts(''));

  /** The disk is full when the engine has begun to write a file; `onFile` is told of each. */
  const fillingUp = (onFile: () => void): Warehouse =>
    altered(warehouse.warehouse, {
      command: async (query) => {
        if (query.sql.startsWith('INSERT INTO FUNCTION file')) {
          onFile();
          disk.fill(LEFT);
        }
        await warehouse.warehouse.command(query);
      },
    });

  it.each(FORMATS)(
    '$format $compression: nothing is published, and the next attempt does without',
    async (options) => {
      const files = { ...PLAIN_FILES, ...options, prefix: `${options.format}-${options.compression}` };
      let written = 0;
      const filling = fillingUp(() => {
        written += 1;
      });
      const ledger = memoryLedger();
      const target = await open();
      const place = { root: '', target, remove: () => {} };
      const run = (attempt: number) =>
        exportWith(filling, place, liveSpec(TEAM), files, { ledger, spool, attempt });
      const failure = await run(1).catch((error: unknown) => error);
      expect(kindOf(failure)).toBe('retry');
      expect(String(failure)).toContain('The disk of the spool became full');
      expect(written).toBe(1);
      const below = () => server.objects('lake').filter((key) => key.startsWith(files.prefix));
      expect([below(), readdirSync(spool)]).toEqual([[], []]);

      const outcome = await run(2);
      expect(written).toBe(1);
      expect(outcome.proof.reread).toEqual(outcome.proof.source);
      expect(await uuidsOf(outcome.files.map(({ key }) => key))).toHaveLength(ROWS);
      expect([server.uploads('lake'), readdirSync(spool)]).toEqual([[], []]);
      await target.close();
    },
    60_000,
  );

  /** Different ones, as DuckDB reads them. */
  async function uuidsOf(keys: readonly string[]): Promise<readonly string[]> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-full-spool-'));
    try {
      for (const key of keys)
        writeFileSync(join(folder, basename(key)), (await server.content('lake', key)) ?? '');
      return [...new Set((await readEvents(folder)).map(({ uuid }) => uuid))];
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
});
