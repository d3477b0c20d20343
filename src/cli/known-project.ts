import type { Config } from '../config.ts';
import { SluiceError } from '../errors/error.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import { askDatabase } from './ask-database.ts';
import { hasPart } from './installation.ts';

/** Every start has made a first project, and projects are never removed. */
const FIRST = 1;

type Where = Pick<Config, 'dataDir' | 'databaseUrl' | 'clickhouseUrl'>;

/**
 * Refuses the number of a project that does not exist. Without a database (a warehouse alone, a ClickHouse of somebody
 * else's) nobody knows; while a server holds the embedded one, the first project and those with events are known to be
 * there, and `force` answers for others. Throws `not_found`, `data_dir_locked`.
 */
export async function refuseUnknownProject(
  id: number,
  force: boolean,
  where: Where,
  warehouse: Warehouse,
): Promise<void> {
  if (force || !hasPart('database', where)) return;
  const known = await projectsOf(where);
  if (known === null) return refuseUnseenProject(id, warehouse);
  // The first start will make the first one.
  if (known.includes(id) || (known.length === 0 && id === FIRST)) return;
  const list = known.length > 0 ? `There are: ${known.join(', ')}.` : 'There is none yet.';
  throw new SluiceError('not_found', {
    detail: `There is no project ${id}. ${list} If it is another installation's, give --force.`,
  });
}

/** All numbers, or null while a server holds the embedded database. */
const projectsOf = (where: Where): Promise<readonly number[] | null> =>
  askDatabase(where, async (db) => {
    const rows = await db.selectFrom('projects').select('id').orderBy('id').execute();
    return rows.map((row) => row.id);
  });

async function refuseUnseenProject(id: number, warehouse: Warehouse): Promise<void> {
  if (id === FIRST) return;
  const sql = 'SELECT 1 AS one FROM events WHERE team_id = {team:Int64} LIMIT 1';
  if ((await warehouse.rows({ sql, params: { team: id } })).length > 0) return;
  throw new SluiceError('data_dir_locked', {
    detail:
      `Project ${id} has no events, and a running Sluice holds the database, so nobody here can see whether it exists. ` +
      'If it does, give --force.',
  });
}
