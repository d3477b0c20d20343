import { readFileSync } from 'node:fs';
import { bulkEvents } from '../src/demo/bulk.ts';
import type { Claim, Line } from './claim.ts';
import type { FileFormat } from './formats.ts';
import { createExport, dataFolder, exportInterval, processTree, type Server, startServer } from './server.ts';

/** The smaller run; the larger one is ten times this. 2,000,000 in the published figures. */
const ROWS = Number(process.env.SLUICE_BENCH_MEMORY_ROWS ?? 1_000_000);
const ROWS_PER_INSERT = 1_000_000;
/** A day each, from and to. */
type Day = readonly [string, string];
const SMALL: Day = ['2026-01-10', '2026-01-11'];
const LARGE: Day = ['2026-01-20', '2026-01-21'];

const FORMATS: readonly FileFormat[] = [
  ['Parquet', 'zstd'],
  ['JSONLines', 'zstd'],
];

/** Every run in a server of its own, so that the peak of one is not the next one's. */
export const memory: Claim = {
  name: 'memory',
  title: `Peak memory of server and engine: ${(10 * ROWS) / 1e6} M rows ÷ ${ROWS / 1e6} M rows`,
  run: async () => {
    using folder = dataFolder();
    await fill(folder.path);
    const lines: Line[] = [];
    for (const format of FORMATS) {
      const small = await peak(folder.path, format, SMALL, ROWS);
      const large = await peak(folder.path, format, LARGE, 10 * ROWS);
      const name = `${format[0]} ${format[1]}`;
      lines.push(line(`${name}, together`, small.server + small.engine, large.server + large.engine));
      lines.push(line(`${name}, server`, small.server, large.server));
      lines.push(line(`${name}, engine`, small.engine, large.engine));
    }
    return lines;
  },
};

const line = (what: string, small: number, large: number): Line => ({
  what,
  ours: `${large.toFixed(0)} MiB`,
  theirs: `${small.toFixed(0)} MiB`,
  value: large / small,
  bar: { atMost: 1.3 },
});

async function fill(dataDir: string): Promise<void> {
  await using server = await startServer(dataDir);
  // Merges go on after a restart, and would be charged to whoever runs then.
  await server.warehouse.command({
    sql: 'ALTER TABLE events MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1',
  });
  for (const [day, rows] of [
    [SMALL, ROWS],
    [LARGE, 10 * ROWS],
  ] as const) {
    const range = { from: new Date(day[0]), to: new Date(day[1]) };
    for (let offset = 0; offset < rows; offset += ROWS_PER_INSERT) {
      const portion = Math.min(ROWS_PER_INSERT, rows - offset);
      const teamId = server.sluice.ready.project_id;
      await server.warehouse.command(
        bulkEvents({ rows: portion, offset, seed: rows, teamId, timestamps: range, arrivals: range }),
      );
    }
  }
}

/** MiB that the server and its engine held at most during one run in a fresh server. */
async function peak(
  dataDir: string,
  [format, compression]: FileFormat,
  day: Day,
  rows: number,
): Promise<{ server: number; engine: number }> {
  await using server = await startServer(dataDir);
  const config = { prefix: `${format}-${rows}`, file_format: format, compression };
  const id = await createExport(server, 'day', { type: 'Filesystem', config });
  const run = await exportInterval(server, id, day);
  if (run.records_completed !== rows) throw new Error(`${run.records_completed} rows instead of ${rows}`);
  return peaks(server);
}

/** `bin/sluice.js` may start the server as a child; the engine is the process without children. */
function peaks(server: Server): { server: number; engine: number } {
  const [launcher, ...rest] = processTree(server.sluice.process.pid ?? 0).map(highWaterMark);
  const engine = rest.pop() ?? 0;
  return { server: rest.reduce((sum, each) => sum + each, launcher ?? 0), engine };
}

function highWaterMark(pid: number): number {
  const text = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(text) / 1024;
}
