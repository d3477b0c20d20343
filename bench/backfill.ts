import { bulkEvents } from '../src/demo/bulk.ts';
import type { Claim } from './claim.ts';
import { seconds } from './measure.ts';
import { call, createExport, dataFolder, startServer } from './server.ts';

const INTERVALS = Number(process.env.SLUICE_BENCH_INTERVALS ?? 720);
const ROWS_EACH = 5;
const HOUR = 3_600_000;
const FIRST = Date.parse('2026-01-01T00:00:00Z');

/** Many small intervals: what a run costs is all there is. */
export const backfill: Claim = {
  name: 'backfill',
  title: `A backfill of ${INTERVALS} hours with ${ROWS_EACH} events each, to Parquet files: milliseconds a run`,
  run: async () => {
    using folder = dataFolder();
    await using server = await startServer(folder.path);
    const config = { prefix: 'hours', file_format: 'Parquet', compression: 'zstd' };
    const id = await createExport(server, 'hour', { type: 'Filesystem', config });
    const range = { from: new Date(FIRST), to: new Date(FIRST + INTERVALS * HOUR) };
    const teamId = server.sluice.ready.project_id;
    const rows = INTERVALS * ROWS_EACH;
    await server.warehouse.command(bulkEvents({ rows, seed: 1, teamId, timestamps: range, arrivals: range }));
    const path = `/batch_exports/${id}/backfills/`;
    const body = { start_at: range.from.toISOString(), end_at: range.to.toISOString() };
    const took = await seconds(async () => {
      const { backfill_id: made } = await call<{ backfill_id: string }>(server, 'POST', path, body);
      for (;;) {
        const now = await call<Backfill>(server, 'GET', `${path}${made}/`);
        if (now.status !== 'Starting' && now.status !== 'Running') return check(now, rows);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    });
    const each = (took * 1000) / INTERVALS;
    const ours = `${each.toFixed(0)} ms`;
    return [{ what: 'wall time ÷ runs', ours, theirs: '', value: each, bar: { atMost: 100 } }];
  },
};

interface Backfill {
  readonly status: string;
  readonly total_records_count: number;
}

function check({ status, total_records_count: found }: Backfill, rows: number): void {
  if (status !== 'Completed' || found !== rows) throw new Error(`${status} with ${found} of ${rows} rows`);
}
