import type { Claim } from './claim.ts';
import { median, seconds, spread } from './measure.ts';
import { createExport, dataFolder, exportInterval, startServer } from './server.ts';

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
    const own: number[] = [];
    const outside: number[] = [];
    for (let n = -3; n < RUNS; n++) {
      const from = FIRST + (n + 3) * HOUR;
      let took = 0;
      const wall = await seconds(async () => {
        const run = await exportInterval(server, id, [moment(from), moment(from + HOUR)], 5);
        took = Date.parse(run.finished_at ?? '') - Date.parse(run.created_at);
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
