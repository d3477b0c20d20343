import { v7 } from 'uuid';
import type { Clock } from '../work/clock.ts';
import type { Db } from './store.ts';

/** Something a person (or, with `userId` null, Sluice itself) did to an object. Never holds a secret. */
export interface Activity {
  readonly organizationId: string | null;
  readonly teamId: number | null;
  readonly userId: number | null;
  /** The kind of object: `BatchExport`, `Integration`, `PersonalAPIKey`, … */
  readonly scope: string;
  readonly itemId: string;
  /** `created`, `updated`, `deleted`, … */
  readonly activity: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Writes in the given transaction: the row exists exactly when the change does. */
export type RecordActivity = (db: Db, activity: Activity) => Promise<void>;

export const activityRecorder =
  (clock: Pick<Clock, 'now'>): RecordActivity =>
  async (db, activity) => {
    await db
      .insertInto('activity_log')
      .values({
        id: v7(),
        organization_id: activity.organizationId,
        team_id: activity.teamId,
        user_id: activity.userId,
        scope: activity.scope,
        item_id: activity.itemId,
        activity: activity.activity,
        detail: JSON.stringify(activity.detail),
        created_at: new Date(clock.now()),
      })
      .execute();
  };
