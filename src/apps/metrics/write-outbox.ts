import type { MetricCategory } from '../catalogue/app.ts';
import type { Trx } from '../ports.ts';

/** What became of events of a plugin config, in one moment (contract.md §12). */
export interface Metric {
  readonly teamId: number;
  readonly pluginConfigId: number;
  readonly category: MetricCategory;
  /** Empty for live delivery. */
  readonly jobId: string;
  readonly successes: number;
  readonly successesOnRetry: number;
  readonly failures: number;
  readonly error: MetricError | null;
}

export interface MetricError {
  readonly uuid: string;
  readonly type: string;
  /** JSON text without secrets. */
  readonly details: string;
}

/**
 * Notes a metric in the caller's transaction: it exists exactly when what it counts has happened. `flushMetrics` brings
 * it to the warehouse. `now` in milliseconds since the epoch.
 */
export async function noteMetric(trx: Trx, metric: Metric, now: number): Promise<void> {
  const { error } = metric;
  await trx
    .insertInto('app_metric_outbox')
    .values({
      team_id: metric.teamId,
      plugin_config_id: metric.pluginConfigId,
      category: metric.category,
      job_id: metric.jobId,
      successes: metric.successes,
      successes_on_retry: metric.successesOnRetry,
      failures: metric.failures,
      timestamp: new Date(now),
      ...(error && {
        error_uuid: error.uuid,
        error_type: error.type,
        error_details: storable(error.details),
      }),
    })
    .execute();
}

/** Postgres keeps no NUL in a text. */
const storable = (text: string) => text.replaceAll('\0', '').toWellFormed();
