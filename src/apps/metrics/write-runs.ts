import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Db } from '../ports.ts';
import { asWriter } from './writer.ts';

/** A batch export's run that has ended, as app_metrics2 counts it. */
export interface EndedRun {
  readonly id: string;
  readonly teamId: number;
  readonly exportId: string;
  readonly status: string;
  readonly finishedAt: Date;
  /** Null when it exported nothing that is known. */
  readonly rows: number | null;
}

/** Ended runs that are not counted yet; the batch exports feature has them. */
export interface RunsToCount {
  next(limit: number): Promise<readonly EndedRun[]>;
  counted(ids: readonly string[]): Promise<void>;
}

export interface CountRunsPorts {
  readonly db: Db;
  /** This process. */
  readonly owner: string;
  readonly runs: RunsToCount;
  readonly warehouse: Pick<Warehouse, 'rows' | 'insert'>;
  readonly onUnwritten: (rows: number) => void;
}

const AT_ONCE = 100;

/** Kind and name by how a run ended (contract.md §12). */
const NAMES: Readonly<Record<string, readonly [kind: string, name: string]>> = {
  Completed: ['success', 'succeeded'],
  Failed: ['failure', 'failed'],
  FailedRetryable: ['failure', 'failed'],
  FailedBilling: ['failure', 'failed_billing'],
  Cancelled: ['cancellation', 'canceled'],
};

/**
 * Writes what ended runs add to app_metrics2. Every row carries the run's id, so runs that are there already, counted just
 * before a crash, are found and left out; merges add up equal rows, so one process at a time writes. Returns whether
 * there may be more. Throws the warehouse's errors; nothing is lost then.
 */
export async function countRuns(ports: CountRunsPorts): Promise<boolean> {
  const [any] = await ports.runs.next(1);
  if (!any) return false;
  return (await asWriter(ports.db, ports.owner, () => count(ports))) ?? false;
}

async function count({ runs, warehouse, onUnwritten }: CountRunsPorts): Promise<boolean> {
  const ended = await runs.next(AT_ONCE);
  if (ended.length === 0) return false;
  try {
    const there = await idsThere(warehouse, ended);
    const lines = ended.filter(({ id }) => !there.has(id)).flatMap(rowsOf);
    // A part holds one month and appears whole or not at all; a run's two rows are of the same moment.
    for (const part of Map.groupBy(lines, ({ timestamp }) => timestamp.slice(0, 7)).values()) {
      await warehouse.insert({
        table: 'app_metrics2',
        columns: COLUMNS,
        format: 'JSONEachRow',
        body: Buffer.from(part.map((line) => JSON.stringify(line)).join('\n')),
      });
    }
  } catch (error) {
    onUnwritten(ended.length);
    throw error;
  }
  await runs.counted(ended.map(({ id }) => id));
  return ended.length === AT_ONCE;
}

async function idsThere(
  warehouse: CountRunsPorts['warehouse'],
  ended: readonly EndedRun[],
): Promise<ReadonlySet<string>> {
  const rows = await warehouse.rows<{ id: string }>({
    sql: `SELECT DISTINCT instance_id AS id FROM app_metrics2
          WHERE team_id IN {teams:Array(Int64)} AND app_source = 'batch_export'
            AND app_source_id IN {exports:Array(String)} AND instance_id IN {ids:Array(String)}`,
    params: {
      teams: [...new Set(ended.map(({ teamId }) => teamId))],
      exports: [...new Set(ended.map(({ exportId }) => exportId))],
      ids: ended.map(({ id }) => id),
    },
  });
  return new Set(rows.map(({ id }) => id));
}

function rowsOf(run: EndedRun) {
  const common = {
    team_id: run.teamId,
    timestamp: run.finishedAt.toISOString().replace('T', ' ').slice(0, 23),
    app_source: 'batch_export',
    app_source_id: run.exportId,
    instance_id: run.id,
  };
  const name = NAMES[run.status];
  return [
    ...(name ? [{ ...common, metric_kind: name[0], metric_name: name[1], count: 1 }] : []),
    ...(run.status === 'Completed'
      ? [{ ...common, metric_kind: 'rows', metric_name: 'rows_exported', count: run.rows ?? 0 }]
      : []),
  ];
}

const COLUMNS = [
  'team_id',
  'timestamp',
  'app_source',
  'app_source_id',
  'instance_id',
  'metric_kind',
  'metric_name',
  'count',
];
