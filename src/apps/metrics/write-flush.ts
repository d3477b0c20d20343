import type { Selectable } from 'kysely';
import type { AppMetricOutboxTable } from '../../database/tables.ts';
import { kindOf, SluiceError } from '../../errors/error.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Db } from '../ports.ts';
import { asWriter } from './writer.ts';

type Row = Selectable<AppMetricOutboxTable>;

export interface FlushPorts {
  readonly db: Db;
  readonly warehouse: Pick<Warehouse, 'rows' | 'insert'>;
  /** This process. */
  readonly owner: string;
  /** Told of rows that were not written in this attempt. */
  readonly onUnwritten: (rows: number) => void;
  readonly onStep: (step: 'metrics-sent') => void;
}

const AT_ONCE = 1_000;

/**
 * Brings noted metrics to the warehouse, each exactly once also across kill -9. Rows get the number of their insert in the
 * database first; the insert carries it in `_offset`, of which merges keep the largest, and inserts go in the order of
 * their numbers: so when one was cut short, the table itself says whether it arrived. One process at a time writes.
 * Returns whether there may be more. Throws the warehouse's errors; nothing is lost then.
 */
export async function flushMetrics(ports: FlushPorts): Promise<boolean> {
  const { db, owner } = ports;
  const any = await db.selectFrom('app_metric_outbox').select('id').limit(1).executeTakeFirst();
  if (!any) return false;
  return (await asWriter(db, owner, () => flush(ports))) ?? false;
}

async function flush(ports: FlushPorts): Promise<boolean> {
  const { db } = ports;
  const unfinished = await rowsNumbered(db);
  if (unfinished.length > 0) await write(ports, unfinished, true);
  const fresh = await numberRows(db);
  if (fresh.length === 0) return unfinished.length > 0;
  await write(ports, fresh, false);
  return fresh.length === AT_ONCE;
}

/** What an earlier attempt numbered and did not finish; one insert at most. */
const rowsNumbered = (db: Db): Promise<Row[]> =>
  db.selectFrom('app_metric_outbox').selectAll().where('flush', 'is not', null).orderBy('id').execute();

/** The rows of one insert: of one month, because a part of the table holds one month and appears whole or not at all. */
async function numberRows(db: Db): Promise<Row[]> {
  return db.transaction().execute(async (trx) => {
    const rows = await trx.selectFrom('app_metric_outbox').selectAll().orderBy('id').limit(AT_ONCE).execute();
    const month = rows[0] && monthOf(rows[0]);
    const taken = rows.filter((row) => monthOf(row) === month);
    if (taken.length === 0) return [];
    const { flush } = await trx
      .updateTable('app_metric_writer')
      .set(({ eb }) => ({ flush: eb('flush', '+', 1) }))
      .returning('flush')
      .executeTakeFirstOrThrow();
    return trx
      .updateTable('app_metric_outbox')
      .set({ flush })
      .where(
        'id',
        'in',
        taken.map(({ id }) => id),
      )
      .returningAll()
      .execute();
  });
}

const monthOf = ({ timestamp }: Row) => timestamp.toISOString().slice(0, 7);

async function write(ports: FlushPorts, rows: readonly Row[], maybeWritten: boolean): Promise<void> {
  const { db, warehouse } = ports;
  try {
    if (!(maybeWritten && (await arrived(warehouse, rows)))) {
      const lines = rows.map((row) => JSON.stringify(toWarehouse(row)));
      await warehouse.insert({
        table: 'app_metrics',
        columns: COLUMNS,
        format: 'JSONEachRow',
        body: Buffer.from(lines.join('\n')),
      });
    }
  } catch (error) {
    ports.onUnwritten(rows.length);
    throw error;
  }
  ports.onStep('metrics-sent');
  await db
    .deleteFrom('app_metric_outbox')
    .where(
      'id',
      'in',
      rows.map(({ id }) => id),
    )
    .execute();
}

/** Whether an insert of this number, which all rows share, is in the table. */
async function arrived(warehouse: FlushPorts['warehouse'], rows: readonly Row[]): Promise<boolean> {
  const [first] = rows;
  if (!first) return true;
  const [row] = await warehouse.rows<{ newest: string }>({
    sql: `SELECT max(_offset) AS newest FROM app_metrics
          WHERE team_id = {team:Int64} AND plugin_config_id = {config:Int64} AND category = {category:String}
            AND job_id = {job:String} AND toStartOfHour(timestamp) = toStartOfHour(parseDateTimeBestEffort({at:String}, 'UTC'))`,
    params: {
      team: first.team_id,
      config: first.plugin_config_id,
      category: first.category,
      job: first.job_id,
      at: first.timestamp.toISOString(),
    },
  });
  return Number(row?.newest ?? 0) >= Number(first.flush);
}

const NIL = '00000000-0000-0000-0000-000000000000';

const toWarehouse = (row: Row) => ({
  team_id: row.team_id,
  timestamp: row.timestamp.toISOString().replace('T', ' ').slice(0, 23),
  plugin_config_id: row.plugin_config_id,
  category: row.category,
  job_id: row.job_id,
  successes: row.successes,
  successes_on_retry: row.successes_on_retry,
  failures: row.failures,
  error_uuid: row.error_uuid ?? NIL,
  error_type: row.error_type,
  error_details: row.error_details,
  _offset: row.flush,
});
const COLUMNS = [
  'team_id',
  'timestamp',
  'plugin_config_id',
  'category',
  'job_id',
  'successes',
  'successes_on_retry',
  'failures',
  'error_uuid',
  'error_type',
  'error_details',
  '_offset',
];

/** Whether trying again soon makes no sense: the warehouse is only ours to read. */
export const isReadOnly = (error: unknown): boolean =>
  error instanceof SluiceError && error.code === 'warehouse_denied' && kindOf(error) === 'user';
