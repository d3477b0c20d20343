import { addTallies, NO_ROWS, type TallyRow, tallyColumns, tallyOf } from './fingerprint.ts';
import { type Duplicates, distinctUuids, repeatedUuids } from './models/rows.ts';
import type { RunContext } from './ports.ts';
import { querySettings } from './queries.ts';
import { alone, cut, WHOLE } from './slices.ts';
import type { Slice, Tally } from './spec.ts';

/** Rows looked at in one go for repeated uuids: about 200 MB in the engine. 50 ms a million rows. */
const ROWS_PER_LOOK = 4_000_000;
/** Beyond this many repeated uuids the set of them is no longer small. */
const FEW_REPEATED = 500_000;

/** Rows and fingerprint of each slice at the source, duplicates counted once; slices without rows are absent. */
export async function countSlices(
  context: RunContext,
  slices: readonly Slice[],
  duplicates: Duplicates,
): Promise<ReadonlyMap<Slice, Tally>> {
  const finest = Math.max(1, ...slices.map(({ of }) => of));
  const only = slices.length === 1 && slices[0] ? slices[0] : WHOLE;
  const uuids = distinctUuids(context.source, duplicates, alone(only));
  const rows = await context.warehouse.rows<TallyRow & { part: string | number }>({
    sql: `SELECT cityHash64(uuid) % {finest:UInt64} AS part, ${tallyColumns('uuid')}
          FROM (${uuids.sql}) GROUP BY part`,
    params: { ...uuids.params, finest },
    settings: querySettings(context),
    signal: context.signal,
  });
  const byPart = new Map(rows.map((row) => [Number(row.part), tallyOf(row)]));
  const tallies = slices.map((slice) => {
    const parts = Array.from({ length: finest / slice.of }, (_, k) => byPart.get(slice.part + k * slice.of));
    return [slice, addTallies(parts.map((part) => part ?? NO_ROWS))] as const;
  });
  return new Map(tallies.filter(([, tally]) => tally.rows > 0));
}

/** Rows and fingerprint of the whole run at the source, with and without regard to duplicates. */
export async function countRun(context: RunContext): Promise<{ tally: Tally; duplicates: Duplicates }> {
  const tally = await countAll(context, 'none');
  const repeated = await countRepeated(context, tally.rows);
  if (repeated === 0) return { tally, duplicates: 'none' };
  const duplicates = repeated <= FEW_REPEATED ? 'some' : 'many';
  return { tally: await countAll(context, duplicates), duplicates };
}

async function countAll(context: RunContext, duplicates: Duplicates): Promise<Tally> {
  return (await countSlices(context, [WHOLE], duplicates)).get(WHOLE) ?? NO_ROWS;
}

/** How many uuids more than one row has; in passes, so that memory does not grow with the run. */
async function countRepeated(context: RunContext, rows: number): Promise<number> {
  let repeated = 0;
  for (const slice of cut(Math.ceil(rows / ROWS_PER_LOOK))) {
    const uuids = repeatedUuids(context.source, alone(slice));
    const [answer] = await context.warehouse.rows<{ repeated: string | number }>({
      sql: `SELECT count() AS repeated FROM (${uuids.sql})`,
      params: uuids.params,
      settings: querySettings(context),
      signal: context.signal,
    });
    repeated += Number(answer?.repeated ?? 0);
  }
  return repeated;
}
