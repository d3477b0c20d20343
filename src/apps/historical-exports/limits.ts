import { lockProject } from '../../database/lock-project.ts';
import { SluiceError } from '../../errors/error.ts';
import { lockedConfig } from '../plugin-configs/store.ts';
import type { Trx } from '../ports.ts';
import { ACTIVE_STATES } from './machine.ts';

/** Which job is asked for: event time, milliseconds since the epoch, half open. */
export interface Wanted {
  readonly teamId: number;
  readonly pluginConfigId: number;
  readonly eventFrom: number;
  readonly eventTo: number;
}

/**
 * A client that got no answer asks again: each job would deliver all the events once more, under keys of its own. The
 * locks, held until the end of the transaction, make those who ask at once wait for each other. Throws `conflict` while
 * one of the same range is active, `too_many_concurrent_historical_exports` when the project has `most`.
 */
export async function checkLimits(trx: Trx, wanted: Wanted, most: number): Promise<void> {
  await lockedConfig(trx, wanted.teamId, String(wanted.pluginConfigId));
  await lockProject(trx, wanted.teamId);
  const active = await trx
    .selectFrom('historical_exports')
    .select(['plugin_config_id', 'event_from', 'event_to'])
    .where('team_id', '=', wanted.teamId)
    .where('status', 'in', [...ACTIVE_STATES])
    .execute();
  const isSame = (job: (typeof active)[number]) =>
    job.plugin_config_id === wanted.pluginConfigId &&
    job.event_from.getTime() === wanted.eventFrom &&
    job.event_to.getTime() === wanted.eventTo;
  if (active.some(isSame)) {
    throw new SluiceError('conflict', {
      detail: 'A historical export of these days to this app is under way already.',
    });
  }
  if (active.length >= most) throw new SluiceError('too_many_concurrent_historical_exports');
}
