import type { App, AppEvent } from '../catalogue/app.ts';
import { noteMetric } from '../metrics/write-outbox.ts';
import { ALERT_AFTER, tellPeople } from './alert.ts';
import { errorOf, metricOf } from './end.ts';
import type { DeliverPorts } from './ports.ts';
import { type Delivery, fenced, type OpenBatch } from './store.ts';

export interface Failure {
  readonly error: { readonly name: string; readonly message: string };
  /** Failures in a row, this one included. */
  readonly failures: number;
  /** Until the next attempt may begin, milliseconds. */
  readonly waitMs: number;
  readonly events: readonly AppEvent[];
}

/**
 * Stores that an attempt failed and when the next one may begin. People see the error among the app's metrics, where it
 * counts no event: nothing is given up. Throws `delivery_superseded`.
 */
export async function storeFailure(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  batch: OpenBatch,
  failure: Failure,
): Promise<void> {
  const { error, failures } = failure;
  const now = ports.clock.now();
  await ports.db.transaction().execute(async (trx) => {
    await fenced(trx, delivery, {
      failures,
      ...(failures === 1 ? { failing_since: new Date(now) } : {}),
      next_attempt_at: new Date(now + failure.waitMs),
      latest_error: error.message.slice(0, 1000).toWellFormed(),
    });
    await trx
      .updateTable('app_batches')
      .set(({ eb }) => ({ attempts: eb('attempts', '+', 1) }))
      .where('id', '=', batch.id)
      .execute();
    await noteMetric(
      trx,
      {
        ...metricOf(app, delivery),
        successes: 0,
        successesOnRetry: 0,
        failures: 0,
        error: errorOf(ports, app, delivery, error, failure.events),
      },
      now,
    );
    if (failures === ALERT_AFTER) {
      await tellPeople(trx, ports, delivery, 'delivery_failing', { error: error.message, failures });
    }
  });
  if (failures === ALERT_AFTER) {
    ports.log.warn(
      { pluginConfig: delivery.pluginConfigId, failures, reason: error.message },
      'an app keeps failing',
    );
  }
}
