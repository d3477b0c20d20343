import { v7 } from 'uuid';
import type { Clock } from '../work/clock.ts';
import type { Db } from './store.ts';

/** Something a person (or, with `userId` null, Sluice itself) did to an object. Never holds a secret. */
export interface Activity {
  readonly organizationId?: string | null;
  readonly projectId: number | null;
  readonly userId: number | null;
  /** The kind of object: `BatchExport`, `Integration`, `PersonalAPIKey`, … */
  readonly scope: string;
  readonly itemId: string | number;
  /** `created`, `updated`, `deleted`, … */
  readonly activity: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

export type RecordActivity = (activity: Activity) => Promise<void>;

/** Writes activity-log rows; pass a transaction to write in it. */
export const activityRecorder =
  (db: Db, clock: Pick<Clock, 'now'>): RecordActivity =>
  async (activity) => {
    await db
      .insertInto('activity_log')
      .values({
        id: v7(),
        organization_id: activity.organizationId ?? null,
        team_id: activity.projectId,
        user_id: activity.userId,
        scope: activity.scope,
        item_id: String(activity.itemId),
        activity: activity.activity,
        detail: JSON.stringify(activity.detail ?? {}),
        created_at: new Date(clock.now()),
      })
      .execute();
  };
