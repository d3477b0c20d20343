import type { PgliteThread } from './pglite-thread.ts';

/** Written since the last checkpoint. Reading so much again after a SIGKILL takes half a second. */
const WAL_BYTES = 64 * 1_048_576;

const WRITTEN = `
  select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()`;

/**
 * Writes what has changed to its place and gives the write-ahead log's room back, where there is much of it. A Postgres
 * server's checkpointer does so by time and size; PGlite, which is one process, only when it is closed. Resolves with
 * whether it did.
 */
export async function checkpointIfDue(pglite: Pick<PgliteThread, 'query' | 'exec'>): Promise<boolean> {
  const { rows } = await pglite.query<{ bytes: number }>(WRITTEN);
  if ((rows[0]?.bytes ?? 0) < WAL_BYTES) return false;
  await pglite.exec('checkpoint');
  return true;
}
