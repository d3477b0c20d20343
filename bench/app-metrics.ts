import { bucketsOf } from '../src/apps/metrics/buckets.ts';
import { metricsQuery } from '../src/apps/metrics/read.ts';
import { windowOf } from '../src/apps/metrics/window.ts';
import type { Warehouse } from '../src/warehouse/warehouse.ts';
import type { Claim, Line } from './claim.ts';
import { quantile } from './measure.ts';
import { call, dataFolder, type Server, startServer } from './server.ts';

/** The claim is about 100 million: `SLUICE_BENCH_APP_METRICS_ROWS=100000000 npm run bench -- --only app-metrics`. */
const ROWS = Number(process.env.SLUICE_BENCH_APP_METRICS_ROWS ?? 2_000_000);
/** Of one plugin config, in 90 days. */
const ROWS_PER_CONFIG = 1_000_000;
const ROWS_PER_INSERT = 2_000_000;
const REQUESTS_PER_TURN = 100;
const NOW = '2026-04-01T12:00:00Z';
const SINCE = '-30d';

interface Counts {
  readonly successes: number;
  readonly failures: number;
}

/** How much longer a read through the API takes than the query it makes. Both over HTTP, one after the other, in turn. */
export const appMetrics: Claim = {
  name: 'app-metrics',
  title: `GET app_metrics of 30 days, ${ROWS / 1e6} M rows stored ÷ the bare ClickHouse query`,
  run: async ({ turns }) => {
    using folder = dataFolder();
    await using server = await startServer(folder.path, { SLUICE_TEST: '1', SLUICE_TEST_NOW: NOW });
    const configs = Math.max(2, Math.round(ROWS / ROWS_PER_CONFIG));
    const teamId = server.sluice.ready.project_id;
    await fill(server.warehouse, teamId, configs);
    const stored = await count(server.warehouse);

    const through = (config: number) => throughApi(server, config);
    const bare = (config: number) => bareQuery(server.warehouse, teamId, config);
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let config = 0; config < configs; config++) await sameAnswer(through, bare, config);
    for (let n = 0; n < turns * REQUESTS_PER_TURN; n++) {
      const config = n % configs;
      const order = n % 2 === 0 ? ([through, bare] as const) : ([bare, through] as const);
      for (const read of order) {
        const begun = performance.now();
        await read(config);
        (read === through ? ours : theirs).push(performance.now() - begun);
      }
    }
    return [0.99, 0.5].map((q) => lineOf(q, stored, ours, theirs));
  },
};

function lineOf(q: number, stored: number, ours: readonly number[], theirs: readonly number[]): Line {
  const [own, other] = [quantile(ours, q), quantile(theirs, q)];
  return {
    what: `${(stored / 1e6).toFixed(1)} M rows, ${ours.length} reads: p${q * 100}, ms`,
    ours: own.toFixed(1),
    theirs: other.toFixed(1),
    value: own / other,
    bar: { atMost: 1.5 },
  };
}

async function throughApi(server: Server, config: number): Promise<Counts> {
  const path = `/app_metrics/${config}/?date_from=${SINCE}`;
  return (await call<{ metrics: { totals: Counts } }>(server, 'GET', path)).metrics.totals;
}

async function bareQuery(warehouse: Warehouse, teamId: number, config: number): Promise<Counts> {
  const place = { now: Date.parse(NOW), zone: 'UTC' };
  const window = windowOf({ date_from: SINCE }, place, true);
  const wanted = { teamId, pluginConfigId: String(config), window, zone: place.zone };
  const rows = await warehouse.rows<{ by_bucket: string; successes: string; failures: string }>(
    metricsQuery(wanted, bucketsOf(window, place.zone)),
  );
  const buckets = rows.filter((row) => row.by_bucket === '1');
  return {
    successes: buckets.reduce((sum, row) => sum + Number(row.successes), 0),
    failures: buckets.reduce((sum, row) => sum + Number(row.failures), 0),
  };
}

/** Warms both up, and no figure is of a wrong answer. */
async function sameAnswer(
  through: (config: number) => Promise<Counts>,
  bare: (config: number) => Promise<Counts>,
  config: number,
): Promise<void> {
  const [one, other] = [await through(config), await bare(config)];
  if (one.successes === other.successes && one.failures === other.failures && other.failures > 0) return;
  throw new Error(
    `config ${config}: ${JSON.stringify(one)} through the API, ${JSON.stringify(other)} without`,
  );
}

/**
 * Rows that stay: every hour's successes of a config are one row whatever is inserted, so almost all are errors, each with an
 * id of its own, spread over 90 days and twenty types.
 */
async function fill(warehouse: Warehouse, teamId: number, configs: number): Promise<void> {
  for (let from = 0; from < ROWS; from += ROWS_PER_INSERT) {
    await warehouse.command({
      sql: `INSERT INTO app_metrics (team_id, timestamp, plugin_config_id, category, job_id, successes, failures,
              error_uuid, error_type, error_details)
            WITH cityHash64(number, 'ok') % 50 = 0 AS ok
            SELECT {team:Int64}, {now:DateTime64(6, 'UTC')} - toIntervalSecond(cityHash64(number, 'time') % 7776000 + 1),
              number % {configs:UInt64}, 'exportEvents', '', ok, NOT ok,
              if(ok, toUUID('00000000-0000-0000-0000-000000000000'), generateUUIDv4()),
              if(ok, '', concat('Error', toString(cityHash64(number, 'type') % 20))),
              if(ok, '', '{"error":{"message":"The receiver answered 503."}}')
            FROM numbers({from:UInt64}, {count:UInt64})`,
      params: {
        team: teamId,
        now: NOW.replace('T', ' ').replace('Z', ''),
        configs,
        from,
        count: Math.min(ROWS_PER_INSERT, ROWS - from),
      },
    });
  }
  // Background merges during a measurement would be charged to whoever reads then.
  await warehouse.command({ sql: 'OPTIMIZE TABLE app_metrics FINAL' });
}

async function count(warehouse: Warehouse): Promise<number> {
  const [row] = await warehouse.rows<{ rows: string }>({ sql: 'SELECT count() AS rows FROM app_metrics' });
  return Number(row?.rows);
}
