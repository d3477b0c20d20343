import { type Selectable, sql } from 'kysely';
import type { RunSlicesTable } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { Ledger, LedgerEntry, OutputMarks } from '../../export/outcome.ts';
import { type Slice, sliceName } from '../../export/spec.ts';
import type { Clock } from '../../work/clock.ts';
import type { Db } from '../ports.ts';
import { predecessors, repeats, runsOfOutput } from './predecessors.ts';
import { assertClaim, type Claim, write } from './store.ts';

/**
 * The ledger of finished slices of one claimed run (table `run_slices`). A resumed run skips what is in it. `place` is where the
 * run writes (FileTarget.place): what earlier runs left elsewhere is nothing to it.
 */
export function openLedger(db: Db, clock: Clock, claim: Claim, place: string): Ledger {
  const others = () => predecessors(db, claim.id, place);
  // Who repeats nothing has no predecessor: those who repeat it come after it.
  const replaced = async () => ((await repeats(db, claim.id)) ? await others() : []);
  return {
    entries: () => readEntries(db, claim.id),
    record: (entry) => record(db, claim, entry, clock.now()),
    forget: (slice) => forget(db, claim, slice),
    withdraw: () => withdrawAll(db, claim),
    assertOwned: () => assertClaim(db, claim),
    beginReplacing: () =>
      write(db, claim, { replacing: true, place, last_updated_at: new Date(clock.now()) }),
    isReplacing: () => isReplacing(db, claim),
    previousKeys: async () => (await others()).flatMap(({ keys }) => keys),
    replaced: async () =>
      (await replaced()).flatMap(({ keys, listed }) => keys.map((key) => ({ key, listed }))),
    marks: () => marksOf(db, claim.id),
    previousSlices: async () => {
      const [newest] = await replaced();
      const entries = newest ? await readEntries(db, newest.id) : [];
      return entries
        .filter(({ withdrawn }) => !withdrawn)
        .map(({ slice, staged }) => ({ slice, key: staged.key }));
    },
  };
}

async function marksOf(db: Db, runId: string): Promise<OutputMarks> {
  const runIds = await runsOfOutput(db, runId);
  const rows = await db.selectFrom('run_slices').select('file').where('run_id', 'in', runIds).execute();
  return { runIds, receipts: rows.map(({ file }) => file as unknown as LedgerEntry['staged']) };
}

export async function readEntries(db: Db, runId: string): Promise<LedgerEntry[]> {
  const rows = await db.selectFrom('run_slices').selectAll().where('run_id', '=', runId).execute();
  return rows.map(entryOf);
}

function entryOf(row: Selectable<RunSlicesTable>): LedgerEntry {
  const [part, of] = row.slice.split('/').map(Number) as [number, number];
  return {
    slice: { part, of },
    rows: row.rows,
    bytes: row.bytes,
    staged: row.file as unknown as LedgerEntry['staged'],
    ...(row.withdrawn ? { withdrawn: true as const } : {}),
  };
}

/** One statement: the row is locked against a newer claim while the slice is written. */
async function record(db: Db, claim: Claim, entry: LedgerEntry, now: number): Promise<void> {
  const written = await sql`
    insert into run_slices (run_id, slice, attempt, rows, bytes, file, finished_at)
    select id, ${sliceName(entry.slice)}, attempt, ${entry.rows}::bigint, ${entry.bytes}::bigint,
           ${JSON.stringify(entry.staged)}::jsonb, ${new Date(now)}::timestamptz
      from batch_export_runs
     where id = ${claim.id} and attempt = ${claim.attempt} and status = 'Running'
       for share
    on conflict (run_id, slice) do update
       set attempt = excluded.attempt, rows = excluded.rows, bytes = excluded.bytes,
           file = excluded.file, finished_at = excluded.finished_at, withdrawn = false`.execute(db);
  if (written.numAffectedRows !== 1n) await assertClaim(db, claim);
}

async function forget(db: Db, claim: Claim, slice: Slice): Promise<void> {
  const gone = await sql`
    delete from run_slices
     where run_id = (select id from batch_export_runs
                      where id = ${claim.id} and attempt = ${claim.attempt} and status = 'Running' for share)
       and slice = ${sliceName(slice)}`.execute(db);
  if (gone.numAffectedRows !== 1n) await assertClaim(db, claim);
}

/** Of a run that has ended without an outcome and is taken back: all but `kept`, whose files stay under an earlier run's keys. */
export async function forgetEnded(db: Db, runId: string, kept: readonly LedgerEntry[]): Promise<void> {
  const names = kept.map(({ slice }) => sliceName(slice));
  const gone = db.deleteFrom('run_slices').where('run_id', '=', runId);
  await (names.length === 0 ? gone : gone.where('slice', 'not in', names)).execute();
}

/** The run's row is locked against a newer claim until the entries are marked: it finds all of them so, or we find it. */
async function withdrawAll(db: Db, claim: Claim): Promise<LedgerEntry[]> {
  return await db.transaction().execute(async (trx) => {
    const held = await trx
      .selectFrom('batch_export_runs')
      .select('id')
      .where('id', '=', claim.id)
      .where('attempt', '=', claim.attempt)
      .where('status', '!=', 'Completed')
      .forShare()
      .executeTakeFirst();
    if (!held) throw new SluiceError('run_superseded');
    const rows = await trx
      .updateTable('run_slices')
      .set({ withdrawn: true })
      .where('run_id', '=', claim.id)
      .returningAll()
      .execute();
    return rows.map(entryOf);
  });
}

/** Also of a run that has ended. */
async function isReplacing(db: Db, claim: Claim): Promise<boolean> {
  const held = await db
    .selectFrom('batch_export_runs')
    .select('replacing')
    .where('id', '=', claim.id)
    .where('attempt', '=', claim.attempt)
    .executeTakeFirst();
  if (!held) throw new SluiceError('run_superseded');
  return held.replacing;
}
