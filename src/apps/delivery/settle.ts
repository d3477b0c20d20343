import { SluiceError } from '../../errors/error.ts';
import type { App } from '../catalogue/app.ts';
import { failHistoricalExport } from '../historical-exports/end.ts';
import type { Outcome } from './attempt.ts';
import type { PlannedBatch } from './cut.ts';
import { endBatch, endFirst } from './end.ts';
import { storeFailure } from './fail.ts';
import type { Health } from './health.ts';
import type { DeliverPorts } from './ports.ts';
import { type Delivery, type OpenBatch, replaceBatch } from './store.ts';

/**
 * Stores what an attempt came to and returns what is open in the batch's place: nothing, smaller ones, or itself. Throws
 * `delivery_superseded` when the delivery is over.
 */
export async function settle(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  health: Health,
  batch: OpenBatch,
  outcome: Outcome,
): Promise<readonly OpenBatch[]> {
  switch (outcome.kind) {
    case 'delivered': {
      const { failures } = health;
      await endBatch(ports, app, delivery, batch, { delivered: outcome.events }, health);
      health.succeeded();
      if (failures > 0)
        ports.log.info({ pluginConfig: delivery.pluginConfigId, failures }, 'an app works again');
      ports.onStep('batch-ended');
      return [];
    }
    case 'begun': {
      const parts = [outcome.first, outcome.rest] as const;
      const rest = await endFirst(ports, app, delivery, batch, parts, health);
      health.succeeded();
      return outcome.next ? settle(ports, app, delivery, health, rest, outcome.next) : [rest];
    }
    case 'split':
      // Too large speaks of how many there are: in pieces they may be taken, whatever became of others.
      if (!health.hopeless || tooLarge(outcome)) return replace(outcome.parts);
      return refuse();
    case 'refused':
      if (!tooLarge(outcome)) health.refused();
      return refuse();
    case 'later':
      return later(outcome);
  }

  function replace(parts: readonly PlannedBatch[]): Promise<readonly OpenBatch[]> {
    return ports.db.transaction().execute((trx) => replaceBatch(trx, ports, delivery, batch, parts));
  }

  function tooLarge({ error }: Outcome & { kind: 'split' | 'refused' }): boolean {
    return error.name === 'delivery_too_large';
  }

  async function refuse(): Promise<[]> {
    if (outcome.kind !== 'split' && outcome.kind !== 'refused') return [];
    const { events: refused, error } = outcome;
    await endBatch(ports, app, delivery, batch, { refused, error }, health);
    ports.log.warn(
      { pluginConfig: delivery.pluginConfigId, events: refused.length, reason: error.message },
      'events were refused by their receiver',
    );
    return [];
  }

  async function later({ error, events, retryAfter }: Outcome & { kind: 'later' }): Promise<OpenBatch[]> {
    health.failed(retryAfter);
    const { failures, notBefore } = health;
    await storeFailure(ports, app, delivery, batch, { error, events, failures, nextAttemptAt: notBefore });
    if (delivery.job && failures >= ports.historicalAttempts) {
      const reason = `Given up after ${failures} attempts: ${error.message}`;
      await failHistoricalExport(ports, delivery.job.id, reason);
      throw new SluiceError('delivery_superseded');
    }
    return [{ ...batch, attempts: batch.attempts + 1 }];
  }
}
