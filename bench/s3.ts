import type { Claim, Line } from './claim.ts';
import { FILE_FORMATS, type FileFormat } from './formats.ts';
import { inTurn, speedLine } from './measure.ts';
import { exportAll, insertInto, recordedInsert } from './ours.ts';
import type { Stage } from './stage.ts';
import { type Store, startStore, storeSetup } from './store.ts';

/** A whole run into a bucket against ClickHouse's own writer into the same bucket, over loopback. */
export const s3: Claim = {
  name: 's3',
  title: "S3: rows/s ÷ ClickHouse's own INSERT INTO FUNCTION s3(…) of the same SELECT to the same server",
  run: async ({ turns }, stage) => {
    await using store = await startStore();
    const lines: Line[] = [];
    for (const format of FILE_FORMATS) lines.push(await against(await stage(), store, format, turns));
    return lines;
  },
};

async function against(
  stage: Stage,
  store: Store,
  [format, compression]: FileFormat,
  turns: number,
): Promise<Line> {
  const config = { prefix: 'bench', file_format: format, compression };
  const setup = storeSetup(store, config);
  const insert = await recordedInsert(stage, { type: 'Filesystem', config, integration: {} });
  const place = [`${store.url}/${store.bucket}/theirs`, store.accessKeyId, store.secretAccessKey];
  const { sql, ...rest } = insertInto(
    insert,
    (engineFormat, codec) =>
      `s3(${[...place, engineFormat, 'auto', codec].map((value) => `'${value}'`).join(', ')})`,
  );
  const theirs = { ...rest, sql, settings: { ...rest.settings, s3_truncate_on_insert: 1 } };
  const pair = await inTurn(
    turns,
    async () => void (await exportAll(stage, setup)),
    () => stage.warehouse.command(theirs),
  );
  return speedLine(`${format} ${compression ?? 'none'}`, pair, stage.rows, 0.85);
}
