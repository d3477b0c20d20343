import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { claimRun } from '../../src/batch-exports/runs/store.ts';
import { type AskingDatabase, openAskingDatabase } from './asking-database.ts';

/** What planning a late run of a long backfill asks of an embedded database. */
const STEP = 300_000;
const EARLIER = 5_000;
const LIVE = 20;
/** Where the backfills end and the schedule begins; so many live runs later it is now. */
const BEGIN = Date.UTC(2026, 0, 1);
const NOW = BEGIN + LIVE * STEP;
const SNAPSHOT = JSON.stringify({ model: 'events', destination: { type: 'Filesystem' } });
const id = (prefix: number, n: number) =>
  `${String(prefix).padStart(8, '0')}-0000-4000-8000-${String(n).padStart(12, '0')}`;

let bench: AskingDatabase;
beforeAll(async () => {
  bench = await openAskingDatabase();
});
afterAll(() => bench.close());

const KINDS = ['of a range', 'without an end', 'for a pause'] as const;

/** An export with a backfill of this kind, which has come to its last five minutes, and live runs since. */
async function fill(kind: (typeof KINDS)[number]): Promise<string> {
  const n = KINDS.indexOf(kind) + 1;
  const [exportId, backfillId] = [id(n, 1), id(n, 2)];
  const at = new Date(NOW).toISOString();
  await sql`
    insert into batch_exports (id, team_id, name, model, destination_type, destination_config, "interval",
      next_interval_start, created_at, last_updated_at)
    values (${exportId}, ${bench.teamId}, ${kind}, 'events', 'Filesystem', '{}', 'every 5 minutes', ${at}, ${at}, ${at})
  `.execute(bench.database.kysely);
  const first = BEGIN - (EARLIER + 1) * STEP;
  const byArrival = kind === 'for a pause';
  const end = kind === 'without an end' ? null : new Date(BEGIN);
  await sql`
    insert into batch_export_backfills (id, team_id, batch_export_id, workflow_id, status, start_at, end_at,
      by_arrival, arrival_before, created_at, last_updated_at)
    values (${backfillId}, ${bench.teamId}, ${exportId}, 'w', 'Running', ${new Date(first)}, ${end},
      ${byArrival}, ${new Date(byArrival ? BEGIN : NOW)}, ${at}, ${at})`.execute(bench.database.kysely);
  const runs = (of: string | null, from: number, count: number, arrival: boolean) => sql`
    insert into batch_export_runs (id, team_id, batch_export_id, backfill_id, status, data_interval_start,
      data_interval_end, snapshot, region, excludes, key_suffix, created_at, last_updated_at)
    select (${`${of ? '1' : '2'}000000${n}-0000-4000-8000-`} || lpad(to_hex(k), 12, '0'))::uuid, ${bench.teamId}, ${exportId}, ${of}::uuid,
      'Completed', to_timestamp(s / 1000.0), to_timestamp((s + ${STEP}::int) / 1000.0), ${SNAPSHOT}::jsonb,
      case when ${arrival} then jsonb_build_object('arrivalFrom', s, 'arrivalTo', s + ${STEP}::int, 'eventFrom', null, 'eventTo', null)
        else jsonb_build_object('arrivalFrom', null, 'arrivalTo', ${NOW}::bigint, 'eventFrom', s, 'eventTo', s + ${STEP}::int) end,
      '[]', '', ${at}, ${at}
    from (select k, ${from}::bigint + k * ${STEP}::bigint as s from generate_series(0, ${count}::int - 1) k) each`;
  await runs(backfillId, first, EARLIER + 1, byArrival).execute(bench.database.kysely);
  await runs(null, BEGIN, LIVE, true).execute(bench.database.kysely);
  const { rows } = await sql<{ id: string }>`
    update batch_export_runs set status = 'Starting', region = null, excludes = null, key_suffix = null
     where backfill_id = ${backfillId} and data_interval_end = ${new Date(BEGIN)} returning id`.execute(
    bench.database.kysely,
  );
  await bench.pglite.exec('vacuum analyze');
  return rows[0]?.id ?? '';
}

interface Node {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly Node[];
}

const nodesOf = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** Of the queries since the last call: rows of the runs' table that they read, and rows that they answered with. */
async function costs() {
  const found = { read: 0, answered: 0 };
  for (const { sql: text, parameters } of bench.asked.splice(0)) {
    if (!/^\s*(select|with)/i.test(text)) continue;
    const { rows } = await bench.pglite.query<{ 'QUERY PLAN': unknown }>(
      `explain (analyze, format json) ${text}`,
      [...parameters],
    );
    const json = rows[0]?.['QUERY PLAN'];
    const [{ Plan: plan }] = (typeof json === 'string' ? JSON.parse(json) : json) as [{ Plan: Node }];
    found.answered += plan['Actual Rows'];
    for (const node of nodesOf(plan)) {
      if (node['Relation Name'] !== 'batch_export_runs') continue;
      const removed = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
      found.read += (node['Actual Rows'] + removed) * node['Actual Loops'];
    }
  }
  return found;
}

it.each(KINDS)('the last run of a backfill %s reads little of the thousands before it', async (kind) => {
  const runId = await fill(kind);
  const run = await claimRun(bench.database.kysely, { runId, worker: 'w', now: NOW });
  if (!run) throw new Error('nothing to claim');
  await fixPlan(bench.asking, run, NOW);
  const found = await costs();
  expect(found.read).toBeLessThan(200);
  expect(found.answered).toBeLessThan(20);
});
