import { bulkEvents } from '../src/demo/bulk.ts';
import type { Claim } from './claim.ts';
import { median, seconds, spread } from './measure.ts';
import { createExport, dataFolder, exportInterval, repeatRun, startServer } from './server.ts';

const RUNS = 30;
const HOUR = 3_600_000;
const FIRST = Date.parse('2026-01-01T00:00:00Z');

/** What a run costs besides its rows: queue, claim, plan, counting, end. */
export const empty: Claim = {
  name: 'empty',
  title: `An empty interval, ${RUNS} times: milliseconds from the run's creation to Completed`,
  run: async () => {
    using folder = dataFolder();
    await using server = await startServer(folder.path);
    const config = { prefix: 'empty', file_format: 'Parquet', compression: 'zstd' };
    const id = await createExport(server, 'hour', { type: 'Filesystem', config });
    await server.warehouse.command(
      bulkEvents({
        rows: 10,
        seed: 1,
        teamId: server.sluice.ready.project_id,
        timestamps: { from: new Date(FIRST), to: new Date(FIRST + HOUR) },
        arrivals: { from: new Date(FIRST), to: new Date(FIRST + HOUR) },
      }),
    );
    // The second hour is empty; a backfill of nothing at all would need no run.
    const { id: run } = await exportInterval(server, id, [moment(FIRST), moment(FIRST + 2 * HOUR)], 50);
    const own: number[] = [];
    const outside: number[] = [];
    for (let n = -3; n < RUNS; n++) {
      let took = 0;
      const wall = await seconds(async () => {
        const repeated = await repeatRun(server, id, run, 5);
        took = Date.parse(repeated.finished_at ?? '') - Date.parse(repeated.created_at);
      });
      if (n < 0) continue;
      own.push(took);
      outside.push(wall * 1000);
    }
    return [
      {
        what: "by the run's own timestamps, ms",
        ours: spread(own, 0),
        theirs: '',
        value: median(own),
        bar: { atMost: 150 },
      },
      {
        what: 'from asking for it to seeing it Completed over the API, ms',
        ours: spread(outside, 0),
        theirs: '',
        value: median(outside),
        bar: { atMost: 150 },
      },
    ];
  },
};

const moment = (ms: number): string => new Date(ms).toISOString();
