import { type Insertable, sql } from 'kysely';
import type { ProjectsTable } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import type { Db } from './store.ts';

/** Below what the column holds, so that there are numbers left above it. */
const HIGHEST = 999_999_999;

/**
 * Inserts a project under a number that somebody chose, which is PostHog's team id in the warehouse; `db` is a transaction. Later
 * ones get higher numbers. Throws `invalid_input`, and `unique` where it is taken.
 */
export async function insertNumbered(
  db: Db,
  number: number,
  row: Omit<Insertable<ProjectsTable>, 'id'> & { readonly timezone: string },
): Promise<void> {
  if (!Number.isInteger(number) || number < 1 || number > HIGHEST) {
    throw new SluiceError('invalid_input', {
      detail: `The number of a project is a whole number from 1 to ${HIGHEST}.`,
    });
  }
  // Whoever else makes a project waits with taking a number.
  await sql`lock table projects in exclusive mode`.execute(db);
  const taken = await db.selectFrom('projects').select('name').where('id', '=', number).executeTakeFirst();
  if (taken) {
    const detail = `There is a project ${number} already, ${JSON.stringify(taken.name)}.`;
    throw new SluiceError('unique', { detail });
  }
  await sql`
    insert into projects (id, organization_id, name, timezone, api_token, created_at) overriding system value
    values (${number}, ${row.organization_id}, ${row.name}, ${row.timezone}, ${row.api_token}, ${row.created_at})`.execute(
    db,
  );
  // Never back: a number that was somebody's once is not given to others.
  await sql`select setval('projects_id_seq', greatest(last_value, ${number}::bigint)) from projects_id_seq`.execute(
    db,
  );
}
