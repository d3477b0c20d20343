import { join } from 'node:path';
import type { Claim, Line } from './claim.ts';
import { FILE_FORMATS, type FileFormat } from './formats.ts';
import { inTurn, speedLine } from './measure.ts';
import { exportAll, insertInto, recordedInsert, removeOutputs } from './ours.ts';
import type { Stage } from './stage.ts';

/**
 * A run with everything it does (count, write, publish, re-read, manifest) against the bare statement by which
 * ClickHouse writes the same file: the limit.
 */
export const files: Claim = {
  name: 'files',
  title: "Filesystem: rows/s ÷ ClickHouse's own INSERT INTO FUNCTION file(…) of the same SELECT and settings",
  run: async ({ turns }, stage) => {
    const lines: Line[] = [];
    for (const format of FILE_FORMATS) lines.push(await against(await stage(), format, turns));
    return lines;
  },
};

async function against(stage: Stage, [format, compression]: FileFormat, turns: number): Promise<Line> {
  const config = { prefix: 'bench', file_format: format, compression };
  const setup = { type: 'Filesystem', config, integration: {} };
  const insert = await recordedInsert(stage, setup);
  const path = join(stage.folder, 'theirs');
  const theirs = insertInto(
    insert,
    (engineFormat, codec) => `file('${path}', '${engineFormat}', 'auto', '${codec}')`,
  );
  const pair = await inTurn(
    turns,
    async () => void (await exportAll(stage, setup)),
    () => stage.warehouse.command(theirs),
    () => removeOutputs(stage, path),
  );
  return speedLine(`${format} ${compression ?? 'none'}`, pair, stage.rows, 0.9);
}
