import { SluiceError } from '../../errors/error.ts';
import type { App } from '../catalogue/app.ts';
import { failHistoricalExport } from '../historical-exports/end.ts';
import { ALERT_AFTER } from './alert.ts';
import type { Outcome } from './attempt.ts';
import type { PlannedBatch } from './cut.ts';
import type { Doubts } from './doubts.ts';
import { endBatch, endFirst } from './end.ts';
import { storeFailure } from './fail.ts';
import type { Health } from './health.ts';
import type { DeliverPorts } from './ports.ts';
import { type Delivery, type OpenBatch, replaceBatch } from './store.ts';

/** Failures that may be about one batch, after which it goes on in pieces: about when people are told. */
const SPLIT_AFTER = ALERT_AFTER;

/**
 * Stores what an attempt came to and returns what is open in the batch's place: nothing, smaller ones, or itself. Throws
 * `delivery_superseded` when the delivery is over.
 */
export async function settle(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  health: Health,
  doubts: Pick<Doubts, 'another'>,
  batch: OpenBatch,
  outcome: Outcome,
): Promise<readonly OpenBatch[]> {
  switch (outcome.kind) {
    case 'delivered': {
      const { failures } = health;
      await endBatch(ports, app, delivery, batch, { delivered: outcome.events }, health);
      // Of events that are gone the receiver heard nothing: that says nothing of it.
      if (outcome.events > 0) health.succeeded();
      if (outcome.events > 0 && failures > 0)
        ports.log.info({ pluginConfig: delivery.pluginConfigId, failures }, 'an app works again');
      ports.onStep('batch-ended');
      return [];
    }
    case 'begun': {
      const parts = [outcome.first, outcome.rest] as const;
      const ending = { delivered: outcome.first.events };
      const rest = await endFirst(ports, app, delivery, batch, parts, ending, health);
      health.succeeded();
      return outcome.next ? settle(ports, app, delivery, health, doubts, rest, outcome.next) : [rest];
    }
    case 'split':
      return replace(outcome.parts);
    case 'refused':
      return refuse(outcome);
    case 'later':
      return later(outcome);
  }

  function outOfPatience(): boolean {
    const { attempts, ms } = ports.historicalPatience;
    return health.toMend >= attempts || (health.failures >= attempts && health.failingMs >= ms);
  }

  function replace(parts: readonly PlannedBatch[], attempts = batch.attempts): Promise<readonly OpenBatch[]> {
    const stored = { ...batch, attempts };
    return ports.db.transaction().execute((trx) => replaceBatch(trx, ports, delivery, stored, parts));
  }

  /** Only what was itself sent and refused: of a receiver that refuses everything, the log and the metrics show examples. */
  async function refuse({ events: refused, error, parts }: Outcome & { kind: 'refused' }) {
    const isNews = health.refused();
    const ending = { refused, error: isNews ? error : null };
    const open = parts && (await endFirst(ports, app, delivery, batch, parts, ending, health));
    if (!open) await endBatch(ports, app, delivery, batch, ending, health);
    if (isNews)
      ports.log.warn(
        { pluginConfig: delivery.pluginConfigId, events: refused.length, reason: error.message },
        'events were refused by their receiver',
      );
    return open ? [open] : [];
  }

  async function later({ error, events, parts, ...failure }: Outcome & { kind: 'later' }) {
    // What pieces may cure nobody has to mend.
    health.failed({ ...failure, toMend: failure.toMend && parts === null });
    const { failures, waitMs } = health;
    await storeFailure(ports, app, delivery, batch, { error, events, failures, waitMs });
    if (delivery.job && outOfPatience()) {
      const reason = `Given up after ${failures} attempts: ${error.message}`;
      await failHistoricalExport(ports, delivery.job.id, reason);
      throw new SluiceError('delivery_superseded');
    }
    const attempts = batch.attempts + 1;
    // One batch at a time, the first: even a receiver that fails altogether sees no more than a handful of pieces.
    if (parts && doubts.another(batch) >= SPLIT_AFTER) return replace(parts, attempts);
    return [{ ...batch, attempts }];
  }
}
