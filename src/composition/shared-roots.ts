import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Tables } from '../database/tables.ts';
import type { Log } from '../work/log.ts';

/** In the root; holds the id that the database remembers. */
const MARK = '.sluice-root';

/**
 * Processes of one database should see the same files: a run that moves to another process goes on with them. The first
 * that finds a root leaves a mark in it; one that does not find it there is told so in its log, and starts: nobody may
 * use the root. A root that is not there yet, or cannot be written to, is left alone.
 */
export async function lookAtRoots(
  db: Kysely<Tables>,
  { filesRoot, downloadsRoot }: Pick<Config, 'filesRoot' | 'downloadsRoot'>,
  log: Pick<Log, 'warn'>,
): Promise<void> {
  const roots = [
    { setting: 'SLUICE_FILES_ROOT', row: 'files_root', root: filesRoot },
    { setting: 'SLUICE_DOWNLOADS_ROOT', row: 'downloads_root', root: downloadsRoot },
  ];
  for (const { setting, row, root } of roots) {
    if (await isShared(db, row, root)) continue;
    log.warn(
      { root },
      `${setting} is not the directory that other processes on this database have: share one (a mounted disk). ` +
        `If it was moved, remove the row '${row}' of the table instance.`,
    );
  }
}

/** The first process has left its mark before another can see the row. */
async function isShared(db: Kysely<Tables>, row: string, root: string): Promise<boolean> {
  if (!existsSync(root)) return true;
  return await db.transaction().execute(async (trx) => {
    const id = readMark(root) ?? randomUUID();
    const first = await trx
      .insertInto('instance')
      .values({ key: row, value: JSON.stringify(id) })
      .onConflict((conflict) => conflict.doNothing())
      .returning('key')
      .executeTakeFirst();
    const ofRow = trx.selectFrom('instance').select('value').where('key', '=', row);
    if (!first) return (await ofRow.executeTakeFirst())?.value === readMark(root);
    if (!leaveMark(root, id)) await trx.deleteFrom('instance').where('key', '=', row).execute();
    return true;
  });
}

function readMark(root: string): string | null {
  try {
    return readFileSync(join(root, MARK), 'utf8').trim();
  } catch {
    return null;
  }
}

function leaveMark(root: string, id: string): boolean {
  try {
    writeFileSync(join(root, MARK), `${id}\n`);
    return true;
  } catch {
    return false;
  }
}
