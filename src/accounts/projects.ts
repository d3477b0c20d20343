import { Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { isTimeZone } from '../http/dates.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import type { Accounts } from './accounts.ts';
import { requireAdministrator } from './levels.ts';
import { type Db, findProject } from './store.ts';

export const ProjectSchema = Type.Object(
  {
    id: Type.Integer(),
    name: Type.String(),
    organization: Type.String({ format: 'uuid' }),
    api_token: Type.String({ description: 'The project key, phc_…, that capture accepts.' }),
    timezone: Type.String({
      description: 'Dates without an offset are read, and days are cut, in this zone.',
    }),
    created_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Project' },
);

export interface ProjectRow {
  readonly id: number;
  readonly name: string;
  readonly organization_id: string;
  readonly api_token: string;
  readonly timezone: string;
  readonly created_at: Date;
}

export const describeProject = (row: ProjectRow) => ({
  id: row.id,
  name: row.name,
  organization: row.organization_id,
  api_token: row.api_token,
  timezone: row.timezone,
  created_at: formatTimestamp(row.created_at),
});

/** A project's name and time zone, which administrators may change. */
export function projectSettingsEndpoints(
  db: Db,
  { recordActivity }: Pick<Accounts, 'recordActivity'>,
): readonly Endpoint[] {
  return [
    endpoint({
      method: 'PATCH',
      area: 'project',
      path: '',
      operationId: 'projects_partial_update',
      summary: 'Change a project’s name or time zone.',
      tag: 'accounts',
      scope: 'project:write',
      body: Type.Object({
        name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        timezone: Type.Optional(Type.String({ minLength: 1, description: 'A name of the tz database.' })),
      }),
      response: { 200: ProjectSchema },
      handler: async ({ caller, project, body: { name, timezone } }) => {
        await requireAdministrator(db, caller.userId, project.organizationId);
        if (timezone !== undefined && !isTimeZone(timezone)) {
          throw new SluiceError('invalid_choice', {
            attr: 'timezone',
            detail: `"${timezone.slice(0, 100)}" is not a valid choice.`,
          });
        }
        const changed = {
          ...(name === undefined ? {} : { name }),
          ...(timezone === undefined ? {} : { timezone }),
        };
        if (Object.keys(changed).length > 0) {
          await db.transaction().execute(async (trx) => {
            await trx.updateTable('projects').set(changed).where('id', '=', project.id).execute();
            await recordActivity(trx, {
              organizationId: project.organizationId,
              teamId: project.id,
              userId: caller.userId,
              scope: 'Project',
              itemId: String(project.id),
              activity: 'updated',
              detail: changed,
            });
          });
        }
        const row = await findProject(db, project.id, caller.userId);
        if (!row) throw new SluiceError('not_found');
        return { status: 200, body: describeProject(row) };
      },
    }),
  ];
}
