import type { PgliteThread } from './pglite-thread.ts';

/** Where a Postgres server's autovacuum begins to (`autovacuum_freeze_max_age`). */
const OLD = 200_000_000;

/** A vacuum takes the long texts of a table with it. */
const OLDEST = `
  select format('%I.%I', nspname, own.relname) as name
    from pg_class own join pg_namespace schema on schema.oid = own.relnamespace
      left join pg_class texts on texts.oid = own.reltoastrelid
   where own.relkind in ('r', 'm') and greatest(age(own.relfrozenxid), age(texts.relfrozenxid)) > $1
   order by greatest(age(own.relfrozenxid), age(texts.relfrozenxid)) desc limit 1`;

/**
 * Postgres' own templates, which nobody enters: everything in them is frozen since they were made, so that they are as old
 * only on paper, and Postgres counts from the oldest database.
 */
const TEMPLATES = `
  update pg_database template set datfrozenxid = own.datfrozenxid from pg_database own
   where own.datname = current_database() and template.datistemplate and age(template.datfrozenxid) > $1`;

/**
 * Frees Postgres from remembering transactions of long ago: it numbers them with 32 bits and has no number left for new
 * ones once the oldest that a row refers to lies two billions back. PGlite, being one process, never does. Takes the
 * oldest table only, since others wait meanwhile. Resolves with it; null = no table holds anything as old.
 *
 * @param olderThan transactions
 * @param onFreeze told of the table before it is read and written as a whole, while everybody else waits
 */
export async function freezeOldest(
  pglite: Pick<PgliteThread, 'query' | 'exec'>,
  olderThan = OLD,
  onFreeze: (table: string) => void = () => {},
): Promise<string | null> {
  const { rows } = await pglite.query<{ name: string }>(OLDEST, [olderThan]);
  const [table] = rows;
  if (!table) {
    await pglite.query(TEMPLATES, [olderThan]);
    return null;
  }
  onFreeze(table.name);
  await pglite.exec(`vacuum (freeze) ${table.name}`);
  return table.name;
}
