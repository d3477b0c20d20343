import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createClient } from '@clickhouse/client';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Claim, Line } from './claim.ts';
import type { FileFormat } from './formats.ts';
import { inTurn, median, spread } from './measure.ts';
import { exportAll } from './ours.ts';
import type { Stage } from './stage.ts';
import { type Store, startStore, storeSetup } from './store.ts';

/** The other program is slow: it gets this many rows, and both are compared per row. */
const THEIR_ROWS = 200_000;

const FORMATS: readonly FileFormat[] = [
  ['Parquet', 'snappy'],
  ['JSONLines', 'gzip'],
];

/** What one writes in an afternoon with the usual packages: every row an object, encoded in JavaScript. */
export const nodeProgram: Claim = {
  name: 'node-program',
  title: 'S3: rows/s ÷ a plain Node program (ClickHouse client → rows → JavaScript encoder → AWS SDK)',
  run: async ({ turns }, stage) => {
    await using store = await startStore();
    const lines: Line[] = [];
    for (const format of FORMATS) lines.push(await against(await stage(), store, format, turns));
    return lines;
  },
};

async function against(
  stage: Stage,
  store: Store,
  [format, compression]: FileFormat,
  turns: number,
): Promise<Line> {
  const setup = storeSetup(store, { prefix: 'bench', file_format: format, compression });
  const theirRows = Math.min(THEIR_ROWS, stage.rows);
  const pair = await inTurn(
    turns,
    async () => void (await exportAll(stage, setup)),
    () => plainProgram(stage, store, format, theirRows),
  );
  const speed = (seconds: readonly number[], rows: number) =>
    `${spread(
      seconds.map((s) => rows / s / 1e6),
      3,
    )} M rows/s`;
  return {
    what: `${format} ${compression}`,
    ours: speed(pair.ours, stage.rows),
    theirs: speed(pair.theirs, theirRows),
    value: median(
      pair.ours.map((own, i) => (stage.rows / own) * ((pair.theirs[i] ?? Number.NaN) / theirRows)),
    ),
    bar: { atLeast: 10 },
  };
}

type Row = Record<string, string>;

const COLUMNS = [
  'uuid',
  'timestamp',
  '_inserted_at',
  'created_at',
  'event',
  'properties',
  'distinct_id',
  'person_properties',
  'elements_chain',
  'person_id',
] as const;
const JSON_COLUMNS = ['properties', 'person_properties'] as const;

async function plainProgram(stage: Stage, store: Store, format: FileFormat[0], limit: number): Promise<void> {
  const url = new URL(stage.warehouseUrl);
  const clickhouse = createClient({
    url: url.origin,
    username: url.username,
    password: decodeURIComponent(url.password),
  });
  const s3 = new S3Client({
    endpoint: store.url,
    region: store.region,
    forcePathStyle: true,
    credentials: { accessKeyId: store.accessKeyId, secretAccessKey: store.secretAccessKey },
  });
  try {
    const answer = await clickhouse.query({
      query: `SELECT ${COLUMNS.join(', ').replace('_inserted_at', 'inserted_at AS _inserted_at')}
              FROM events WHERE team_id = 1 LIMIT ${limit}`,
      format: 'JSONEachRow',
    });
    const rows = eachRow(answer.stream<Row>());
    if (format === 'Parquet') {
      const Body = await parquetOf(rows);
      await s3.send(new PutObjectCommand({ Bucket: store.bucket, Key: 'plain.parquet', Body }));
      return;
    }
    const path = join(stage.folder, 'plain.jsonl.gz');
    await pipeline(Readable.from(lines(rows)), createGzip(), createWriteStream(path));
    const Body = createReadStream(path);
    await s3.send(
      new PutObjectCommand({
        Bucket: store.bucket,
        Key: 'plain.jsonl.gz',
        Body,
        ContentLength: statSync(path).size,
      }),
    );
  } finally {
    await clickhouse.close();
    s3.destroy();
  }
}

async function* eachRow(stream: AsyncIterable<readonly { json(): unknown }[]>): AsyncGenerator<Row> {
  for await (const rows of stream) for (const row of rows) yield row.json() as Row;
}

async function* lines(rows: AsyncIterable<Row>): AsyncGenerator<string> {
  for await (const row of rows) {
    const parsed = JSON_COLUMNS.map((name) => [name, JSON.parse(row[name] ?? 'null')]);
    yield `${JSON.stringify({ ...row, ...Object.fromEntries(parsed) })}\n`;
  }
}

async function parquetOf(rows: AsyncIterable<Row>): Promise<Buffer> {
  const columns = COLUMNS.map((name) => ({ name, data: [] as (string | Date)[] }));
  for await (const row of rows) {
    for (const { name, data } of columns) {
      const value = row[name] ?? '';
      data.push(
        name.endsWith('_at') || name === 'timestamp' ? new Date(`${value.replace(' ', 'T')}Z`) : value,
      );
    }
  }
  return Buffer.from(parquetWriteBuffer({ columnData: columns }));
}
