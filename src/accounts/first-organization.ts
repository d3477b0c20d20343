import { sql } from 'kysely';
import type { Db } from './store.ts';

/** The id of the organization that the first start made, where `instance` is joined by its row `bootstrapped`. */
export const firstOrganizationId = sql<string | null>`instance.value ->> 'organization_id'`;

/**
 * The id of a project's organization; null when it is the one that the first start made. Throws when there is no such
 * project.
 */
export async function organizationUnlessFirst(db: Db, projectId: number): Promise<string | null> {
  const { organization_id, first } = await db
    .selectFrom('projects')
    .leftJoin('instance', (join) => join.on('instance.key', '=', 'bootstrapped'))
    .select(['organization_id', firstOrganizationId.as('first')])
    .where('projects.id', '=', projectId)
    .executeTakeFirstOrThrow();
  return organization_id === first ? null : organization_id;
}
