import type { Kysely, Selectable } from 'kysely';
import type { IntegrationsTable, Tables } from '../database/tables.ts';

export type Db = Kysely<Tables>;
export type IntegrationRow = Selectable<IntegrationsTable>;

const LARGEST_ID = 2 ** 31 - 1;

/** Null when this project has no such integration. `db` may be a transaction. */
export async function findIntegration(db: Db, teamId: number, id: number): Promise<IntegrationRow | null> {
  if (!Number.isInteger(id) || id < 1 || id > LARGEST_ID) return null;
  const row = await db
    .selectFrom('integrations')
    .selectAll()
    .where('team_id', '=', teamId)
    .where('id', '=', id)
    .executeTakeFirst();
  return row ?? null;
}

export interface ListWanted {
  readonly teamId: number;
  readonly kind: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** Oldest first: clients take the first of a kind (contract.md §10). */
export async function listIntegrations(
  db: Db,
  { teamId, kind, limit, offset }: ListWanted,
): Promise<{ count: number; rows: IntegrationRow[] }> {
  const mine = db
    .selectFrom('integrations')
    .where('team_id', '=', teamId)
    .$if(kind !== undefined, (query) => query.where('kind', '=', kind as string));
  const { count } = await mine.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  const rows = await mine
    .selectAll()
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .offset(offset)
    .execute();
  return { count: Number(count), rows };
}

export interface NewIntegration {
  readonly teamId: number;
  readonly kind: string;
  readonly identity: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly sealed: string;
  readonly createdBy: number;
  readonly createdAt: Date;
}

/** Null when the project has one of this kind and identity already. */
export async function insertIntegration(db: Db, added: NewIntegration): Promise<IntegrationRow | null> {
  const row = await db
    .insertInto('integrations')
    .values({
      team_id: added.teamId,
      kind: added.kind,
      identity: added.identity,
      config: JSON.stringify(added.config),
      sealed: added.sealed,
      created_by: added.createdBy,
      created_at: added.createdAt,
    })
    .onConflict((conflict) => conflict.columns(['team_id', 'kind', 'identity']).doNothing())
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** Locked, so that it is there when it is replaced. */
export async function findByIdentity(
  db: Db,
  teamId: number,
  kind: string,
  identity: string,
): Promise<IntegrationRow | null> {
  const row = await db
    .selectFrom('integrations')
    .selectAll()
    .where('team_id', '=', teamId)
    .where('kind', '=', kind)
    .where('identity', '=', identity)
    .forUpdate()
    .executeTakeFirst();
  return row ?? null;
}

/** Puts other credentials into an integration; who uses it uses these from the next run on. */
export const replaceIntegration = (
  db: Db,
  id: number,
  { config, sealed }: Pick<NewIntegration, 'config' | 'sealed'>,
): Promise<IntegrationRow> =>
  db
    .updateTable('integrations')
    .set({ config: JSON.stringify(config), sealed, errors: '' })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

export const deleteIntegration = (db: Db, id: number) =>
  db.deleteFrom('integrations').where('id', '=', id).execute();

export const organizationOfProject = async (db: Db, teamId: number): Promise<string> =>
  (
    await db
      .selectFrom('projects')
      .select('organization_id')
      .where('id', '=', teamId)
      .executeTakeFirstOrThrow()
  ).organization_id;
