import type { PgliteThread } from './pglite-thread.ts';

/**
 * Postgres' rule for what needs it (its manual, "The Autovacuum Daemon", with the default settings): more than 50 dead rows
 * and a fifth of the table, or more than 1,000 new rows and a fifth, since the last vacuum; or more than 50 changed rows and a
 * tenth since its statistics were made. Postgres' own tables, of which statistics and definitions make as many dead rows, for
 * those alone; one table's vacuum takes its long texts ("toast") with it.
 */
const NEEDY = `
  select format('%I.%I', schemaname, relname) as name, dead or new as vacuum from (
    select stat.schemaname, stat.relname,
      stat.n_dead_tup > 50 + 0.2 * greatest(class.reltuples, 0) as dead,
      stat.schemaname <> 'pg_catalog' and
        stat.n_ins_since_vacuum > 1000 + 0.2 * greatest(class.reltuples, 0) as new,
      stat.schemaname <> 'pg_catalog' and
        stat.n_mod_since_analyze > 50 + 0.1 * greatest(class.reltuples, 0) as changed
    from pg_stat_all_tables stat join pg_class class on class.oid = stat.relid
    where stat.schemaname <> 'pg_toast'
  ) as needs where dead or new or changed
  order by name`;

/**
 * Gives the room of dead rows back to their tables, and makes new statistics, where it is time. Resolves with the tables.
 * PGlite, being one process, never does: 10,000 hourly exports made their table of 4 MB one of 51 MB in 20 hours.
 * A table of 100,000 runs keeps everybody else waiting for 0.9 s the first time, less when most of it has not changed.
 */
export async function vacuumNeedy(pglite: Pick<PgliteThread, 'query' | 'exec'>): Promise<string[]> {
  // One session counts only for itself until it is told to publish, which the next statement does.
  await pglite.query('select pg_stat_force_next_flush()');
  const { rows } = await pglite.query<{ name: string; vacuum: boolean }>(NEEDY);
  for (const { name, vacuum } of rows)
    await pglite.exec(`${vacuum ? 'vacuum (analyze)' : 'analyze'} ${name}`);
  return rows.map(({ name }) => name);
}
