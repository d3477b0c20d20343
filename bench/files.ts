import { join } from 'node:path';
import type { Claim, Line } from './claim.ts';
import { inTurn, ratio, spread } from './measure.ts';
import { exportAll, insertInto, recordedInsert } from './ours.ts';
import type { Stage } from './stage.ts';

const FORMATS = [
  ['Parquet', 'zstd'],
  ['Parquet', 'snappy'],
  ['JSONLines', null],
  ['JSONLines', 'zstd'],
  ['JSONLines', 'gzip'],
] as const;

/**
 * A run with everything it does (count, write, publish, re-read, manifest) against the bare statement by which
 * ClickHouse writes the same file: the limit.
 */
export const files: Claim = {
  name: 'files',
  title: "Filesystem: rows/s ÷ ClickHouse's own INSERT INTO FUNCTION file(…) of the same SELECT and settings",
  run: async ({ turns }, stage) => {
    const lines: Line[] = [];
    for (const format of FORMATS) lines.push(await against(await stage(), format, turns));
    return lines;
  },
};

async function against(
  stage: Stage,
  [format, compression]: (typeof FORMATS)[number],
  turns: number,
): Promise<Line> {
  const config = { prefix: 'bench', file_format: format, compression };
  const setup = { type: 'Filesystem', config, integration: {} };
  const insert = await recordedInsert(stage, setup);
  const pair = await inTurn(
    turns,
    async () => void (await exportAll(stage, setup)),
    () => stage.warehouse.command(insertInto(insert, join(stage.folder, 'theirs'))),
  );
  const speed = (seconds: readonly number[]) =>
    `${spread(seconds.map((s) => stage.rows / s / 1e6))} M rows/s`;
  return {
    what: `${format} ${compression ?? 'none'}`,
    ours: speed(pair.ours),
    theirs: speed(pair.theirs),
    value: ratio(pair),
    bar: { atLeast: 0.9 },
  };
}
