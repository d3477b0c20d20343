import type { Trx } from '../ports.ts';
import type { DeliverPorts } from './ports.ts';
import type { Delivery } from './store.ts';

/** So many failures in a row are told to people: after about half a minute. */
export const ALERT_AFTER = 6;

/** Leaves a row in the activity log of the plugin config, on behalf of nobody. */
export function tellPeople(
  trx: Trx,
  { recordActivity }: Pick<DeliverPorts, 'recordActivity'>,
  delivery: Delivery,
  activity: 'delivery_failing' | 'delivery_recovered',
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  return recordActivity(trx, {
    organizationId: delivery.job?.organizationId ?? null,
    teamId: delivery.teamId,
    userId: null,
    scope: 'PluginConfig',
    itemId: String(delivery.pluginConfigId),
    activity,
    detail,
  });
}
