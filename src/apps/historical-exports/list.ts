import { sql } from 'kysely';
import { type TSchema, Type } from 'typebox';
import { formatTimestamp } from '../../http/timestamps.ts';
import type { Db } from '../ports.ts';
import { JOB_TYPE, type TriggerPayload } from './activity.ts';

const ACTIVITIES = ['job_triggered', 'export_success', 'export_fail'] as const;

interface Entry {
  readonly activity: string;
  readonly user_id: number | null;
  readonly created_at: Date;
  readonly job_id: string;
  readonly payload: TriggerPayload | null;
}

/** What the activity log tells of one historical export. */
export interface HistoricalExport {
  readonly jobId: string;
  readonly status: 'success' | 'fail' | 'not_finished';
  readonly payload: TriggerPayload | null;
  readonly createdAt: Date;
  readonly createdBy: number | null;
  readonly finishedAt: Date | null;
  /** Only of failed ones. */
  readonly failureReason: unknown;
  /** 0 to 1; null once it is finished, and where nobody counts. */
  readonly progress: number | null;
}

/**
 * A plugin config's historical exports, newest first (contract.md §11.3): each is its job_triggered entry; the last entry of
 * each activity counts. `jobId` narrows to one.
 */
export async function listHistoricalExports(
  db: Db,
  teamId: number,
  pluginConfigId: string,
  jobId?: string,
): Promise<HistoricalExport[]> {
  const job = sql<string>`detail #>> '{trigger,job_id}'`;
  let query = db
    .selectFrom('activity_log')
    .select(['activity', 'user_id', 'created_at', job.as('job_id')])
    .select(sql<TriggerPayload | null>`detail #> '{trigger,payload}'`.as('payload'))
    .where('team_id', '=', teamId)
    .where('scope', '=', 'PluginConfig')
    .where('item_id', '=', pluginConfigId)
    .where('activity', 'in', [...ACTIVITIES])
    .where(sql`detail #>> '{trigger,job_type}'`, '=', JOB_TYPE)
    .where(job, 'is not', null)
    .orderBy('created_at')
    .orderBy('id');
  if (jobId !== undefined) query = query.where(job, '=', jobId);
  const entries: Entry[] = await query.execute();
  const progress = await progressOf(db, teamId, pluginConfigId);
  return [...Map.groupBy(entries, (entry) => entry.job_id)]
    .flatMap(([id, of]) => toExport(id, of, progress.get(id) ?? null) ?? [])
    .reverse()
    .sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime());
}

/** Null for a job that nobody triggered. */
function toExport(
  jobId: string,
  entries: readonly Entry[],
  progress: number | null,
): HistoricalExport | null {
  const last = (activity: (typeof ACTIVITIES)[number]) =>
    entries.findLast((entry) => entry.activity === activity);
  const trigger = last('job_triggered');
  if (!trigger) return null;
  const success = last('export_success');
  const failure = success ? undefined : last('export_fail');
  const end = success ?? failure;
  return {
    jobId,
    status: success ? 'success' : failure ? 'fail' : 'not_finished',
    payload: trigger.payload,
    createdAt: trigger.created_at,
    createdBy: trigger.user_id,
    finishedAt: end?.created_at ?? null,
    failureReason: failure?.payload?.failure_reason ?? null,
    progress: end ? null : progress,
  };
}

/** How far those under way are, by job. */
async function progressOf(db: Db, teamId: number, pluginConfigId: string): Promise<Map<string, number>> {
  const id = Number(pluginConfigId);
  if (!Number.isInteger(id) || id < 1 || id > 2 ** 31 - 1) return new Map();
  const rows = await db
    .selectFrom('historical_exports')
    .select(['id', 'progress'])
    .where('team_id', '=', teamId)
    .where('plugin_config_id', '=', id)
    .where('finished_at', 'is', null)
    .execute();
  return new Map(rows.map((row) => [row.id, row.progress]));
}

export const historicalExportSchema = (user: TSchema) =>
  Type.Object({
    job_id: Type.String(),
    status: Type.Union(['success', 'fail', 'not_finished'].map((word) => Type.Literal(word))),
    payload: Type.Unknown({ description: 'As it was asked for: `{dateRange, parallelism}`.' }),
    created_at: Type.String({ format: 'date-time' }),
    created_by: Type.Union([user, Type.Null()]),
    finished_at: Type.Optional(Type.String({ format: 'date-time' })),
    duration: Type.Optional(Type.Number({ description: 'Seconds.' })),
    failure_reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    progress: Type.Optional(Type.Number({ description: '0 to 1, while it is not finished.' })),
  });

/** What does not apply is left out, not null (contract.md §11.3). */
export function presentHistoricalExport(row: HistoricalExport, users: ReadonlyMap<number, unknown>) {
  const { finishedAt, progress } = row;
  return {
    job_id: row.jobId,
    status: row.status,
    payload: row.payload,
    created_at: formatTimestamp(row.createdAt),
    created_by: users.get(row.createdBy ?? 0) ?? null,
    ...(finishedAt && {
      finished_at: formatTimestamp(finishedAt),
      duration: (finishedAt.getTime() - row.createdAt.getTime()) / 1000,
    }),
    ...(row.status === 'fail' && {
      failure_reason: typeof row.failureReason === 'string' ? row.failureReason : null,
    }),
    ...(progress !== null && { progress }),
  };
}
