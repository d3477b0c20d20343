import { SluiceError } from '../../errors/error.ts';
import type { App, AppEvent } from '../catalogue/app.ts';
import { addProgress } from '../historical-exports/progress.ts';
import { errorDetails, masker } from '../metrics/write-details.ts';
import { type Metric, noteMetric } from '../metrics/write-outbox.ts';
import type { Trx } from '../ports.ts';
import { ALERT_AFTER, tellPeople } from './alert.ts';
import type { PlannedBatch } from './cut.ts';
import type { Health } from './health.ts';
import type { DeliverPorts } from './ports.ts';
import { type Delivery, type DeliveryColumns, fenced, type OpenBatch, replaceBatch } from './store.ts';

/** How a batch ended, for good. */
export type Ending =
  | { readonly delivered: number }
  /** Without an error it is counted and not shown. */
  | { readonly refused: readonly AppEvent[]; readonly error: { name: string; message: string } | null };

/**
 * Ends a batch: it is open no more and what became of it is counted, in one transaction (D4). Where something was
 * delivered, the delivery is healthy again. Throws `delivery_superseded`.
 */
export async function endBatch(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  batch: OpenBatch,
  ending: Ending,
  /** As it is before. */
  health: Pick<Health, 'failures' | 'waitMs'>,
): Promise<void> {
  await ports.db.transaction().execute((trx) => end(trx, ports, app, delivery, batch, ending, health));
  count(ports, ending);
}

/**
 * Ends the first events of a batch, `first`, and returns what is open in its place: the `rest`, a batch of its own. In one
 * transaction. Throws `delivery_superseded`.
 */
export async function endFirst(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  batch: OpenBatch,
  parts: readonly [first: PlannedBatch, rest: PlannedBatch],
  ending: Ending,
  health: Pick<Health, 'failures' | 'waitMs'>,
): Promise<OpenBatch> {
  const open = await ports.db.transaction().execute(async (trx) => {
    const [first, left] = await replaceBatch(trx, ports, delivery, batch, parts);
    if (first) await end(trx, ports, app, delivery, first, ending, health);
    return left;
  });
  count(ports, ending);
  // It has just been stored.
  return open as OpenBatch;
}

function count({ counters }: DeliverPorts, ending: Ending): void {
  const [delivered, failed] = outcomeOf(ending);
  counters.delivered(delivered);
  counters.failed(failed);
}

const outcomeOf = (ending: Ending): readonly [delivered: number, failed: number] =>
  'delivered' in ending ? [ending.delivered, 0] : [0, ending.refused.length];

async function end(
  trx: Trx,
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  batch: OpenBatch,
  ending: Ending,
  { failures, waitMs }: Pick<Health, 'failures' | 'waitMs'>,
): Promise<void> {
  const now = ports.clock.now();
  const [delivered, failed] = outcomeOf(ending);
  await fenced(trx, delivery, delivered > 0 ? healthy(waitMs, now) : {});
  if (delivered > 0 && failures >= ALERT_AFTER)
    await tellPeople(trx, ports, delivery, 'delivery_recovered', { failures });
  await close(trx, delivery, batch, now);
  if (delivery.job) await addProgress(trx, delivery.job.id, { delivered, failed });
  if (delivered + failed === 0) return;
  const retried = batch.attempts > 0;
  await noteMetric(
    trx,
    {
      ...metricOf(app, delivery),
      successes: retried ? 0 : delivered,
      successesOnRetry: retried ? delivered : 0,
      failures: failed,
      error:
        'refused' in ending && ending.error
          ? errorOf(ports, app, delivery, ending.error, ending.refused)
          : null,
    },
    now,
  );
}

/** Clears every trace of failures, also of one that another batch has just stored, but keeps a wait that is not over yet. */
const healthy = (waitMs: number, now: number): DeliveryColumns => ({
  failures: 0,
  failing_since: null,
  next_attempt_at: waitMs > 0 ? new Date(now + waitMs) : null,
  latest_error: null,
});

/**
 * Live batches that have ended are of no more use; those of a historical export are its ledger. Throws
 * `delivery_superseded` for one that has ended before: it is counted already.
 */
async function close(trx: Trx, delivery: Delivery, batch: OpenBatch, now: number): Promise<void> {
  const closed =
    delivery.job === null
      ? await trx.deleteFrom('app_batches').where('id', '=', batch.id).returning('id').execute()
      : await trx
          .updateTable('app_batches')
          .set({ ended_at: new Date(now) })
          .where('id', '=', batch.id)
          .where('ended_at', 'is', null)
          .returning('id')
          .execute();
  if (closed.length === 0) throw new SluiceError('delivery_superseded');
}

export const metricOf = (
  app: App,
  delivery: Delivery,
): Pick<Metric, 'teamId' | 'pluginConfigId' | 'category' | 'jobId'> => ({
  teamId: delivery.teamId,
  pluginConfigId: delivery.pluginConfigId,
  category: delivery.job === null ? app.metricCategory : 'exportEvents',
  jobId: delivery.job?.id ?? '',
});

export const errorOf = (
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  error: { readonly name: string; readonly message: string },
  events: readonly AppEvent[],
): Metric['error'] => ({
  uuid: ports.newId(),
  type: error.name,
  details: errorDetails(error, events, masker(app, delivery.config)),
});
