import type { Warehouse } from '../../warehouse/warehouse.ts';
import { type Buckets, bucketsOf } from './buckets.ts';
import type { AppMetrics, ErrorCount, Outcomes } from './shapes.ts';
import { presentMetrics } from './shapes.ts';
import { isoOfDateTime64, type MetricsWindow, toDateTime64 } from './window.ts';

export interface Wanted {
  readonly teamId: number;
  /** Digits: any whole number, not only those of plugin configs there are. */
  readonly pluginConfigId: string;
  readonly category?: string | undefined;
  readonly jobId?: string | undefined;
  readonly window: MetricsWindow;
  readonly zone: string;
}

interface Row {
  readonly bucket: string;
  readonly error_type: string;
  /** '1' in the groups by bucket, '0' in those by error. */
  readonly by_bucket: string;
  readonly successes: string;
  readonly successes_on_retry: string;
  readonly failures: string;
  readonly rows: string;
  readonly last_seen: string;
}

/**
 * An app's metrics and errors from the warehouse (contract.md §11.1c). One pass over the rows groups them twice.
 * Throws the warehouse's errors.
 */
export async function readMetrics(
  warehouse: Pick<Warehouse, 'rows'>,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<AppMetrics> {
  const buckets = bucketsOf(wanted.window, wanted.zone);
  const rows = await warehouse.rows<Row>({ ...metricsQuery(wanted, buckets), ...(signal && { signal }) });
  const [byBucket, byError] = [[] as Row[], [] as Row[]];
  for (const row of rows) (row.by_bucket === '1' ? byBucket : byError).push(row);
  return {
    metrics: presentMetrics(buckets.labels, inBuckets(buckets, byBucket)),
    errors: byError
      .filter((row) => row.error_type !== '')
      .map(toErrorCount)
      .sort(mostFirst),
  };
}

/** What the bare query is that a read through the API is measured against. */
export function metricsQuery(wanted: Wanted, buckets: Buckets) {
  const { sql, params } = bucketOf(buckets, wanted.zone);
  const filters = [
    'team_id = {team:Int64}',
    'plugin_config_id = {config:Int64}',
    "timestamp >= {from:DateTime64(6, 'UTC')}",
    "timestamp < {to:DateTime64(6, 'UTC')}",
    ...(wanted.category === undefined ? [] : ['category = {category:String}']),
    ...(wanted.jobId === undefined ? [] : ['job_id = {job:String}']),
  ];
  return {
    sql: `SELECT ${sql} AS bucket, error_type, grouping(error_type) AS by_bucket,
            sum(if(category = 'composeWebhook', 0, successes)) AS successes,
            sum(app_metrics.successes_on_retry) AS successes_on_retry,
            sum(app_metrics.failures) AS failures,
            count() AS rows, max(timestamp) AS last_seen
          FROM app_metrics WHERE ${filters.join(' AND ')}
          GROUP BY GROUPING SETS ((bucket), (error_type))`,
    params: {
      ...params,
      team: wanted.teamId,
      config: wanted.pluginConfigId,
      from: toDateTime64(wanted.window.from),
      to: toDateTime64(wanted.window.to),
      ...(wanted.category === undefined ? {} : { category: wanted.category }),
      ...(wanted.jobId === undefined ? {} : { job: wanted.jobId }),
    },
  };
}

/**
 * Cut where `Buckets` says, not where ClickHouse would: its floor knows no half hours of summer time, and its list of zones
 * is older than Node's. The numbers are ours, and as parameters they would be too long for a URL.
 */
function bucketOf({ starts }: Buckets, zone: string) {
  if (starts === null) {
    return { sql: 'toDate32(toTimeZone(timestamp, {zone:String}))', params: { zone } };
  }
  // The array must have an element; without a bucket there are no rows either.
  const list = starts.length > 0 ? starts.join(',') : '0';
  return { sql: `roundDown(toUnixTimestamp(timestamp), CAST([${list}], 'Array(Int64)'))`, params: {} };
}

function inBuckets({ labels, starts }: Buckets, rows: readonly Row[]): readonly Outcomes[] {
  const keys = starts?.map(String) ?? labels;
  const found = new Map(rows.map((row) => [row.bucket, row]));
  return keys.map((key) => {
    const row = found.get(key);
    return {
      successes: Number(row?.successes ?? 0),
      successes_on_retry: Number(row?.successes_on_retry ?? 0),
      failures: Number(row?.failures ?? 0),
    };
  });
}

const toErrorCount = (row: Row): ErrorCount => ({
  error_type: row.error_type,
  count: Number(row.rows),
  last_seen: isoOfDateTime64(row.last_seen),
});

const mostFirst = (one: ErrorCount, other: ErrorCount): number =>
  other.count - one.count || (one.error_type < other.error_type ? -1 : 1);
