import { addTallies, folded, NO_ROWS, type TallyRow, tallyColumns, tallyOf } from './fingerprint.ts';
import { type Duplicates, distinctUuids, repeatedUuids } from './models/rows.ts';
import type { RunContext } from './ports.ts';
import { querySettings } from './queries.ts';
import { alone, cut, WHOLE } from './slices.ts';
import type { Slice, Tally } from './spec.ts';

/** Rows looked at in one go for repeated uuids: about 200 MB in the engine. */
const ROWS_PER_LOOK = 4_000_000;
/** Beyond this many repeated uuids the set of them is no longer small. */
const FEW_REPEATED = 500_000;

/** What counting needs of a run. */
export type Counting = Pick<RunContext, 'signal' | 'source' | 'spec' | 'warehouse'>;

/** Rows and fingerprint of each slice at the source, duplicates counted once; slices without rows are absent. */
export async function countSlices(
  context: Counting,
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

/**
 * Rows and fingerprint of the whole run at the source, with and without regard to duplicates. Looks for those in at most about
 * `rowsPerLook` rows at a time, so that memory does not grow with the run.
 */
export async function countRun(
  context: Counting,
  rowsPerLook = ROWS_PER_LOOK,
): Promise<{ tally: Tally; duplicates: Duplicates }> {
  const { tally, distinct } = await countStored(context, WHOLE, rowsPerLook);
  const repeated = distinct === tally.rows ? 0 : await countRepeated(context, tally.rows, rowsPerLook);
  if (repeated === 0) return { tally, duplicates: 'none' };
  const duplicates = repeated <= FEW_REPEATED ? 'some' : 'many';
  const counted = await countSlices(context, [WHOLE], duplicates);
  return { tally: counted.get(WHOLE) ?? NO_ROWS, duplicates };
}

/**
 * Every row that is stored, and of the first `most`, in whatever order they come, how many certainly differ: one scan for
 * nearly every run.
 */
async function countStored(
  context: Counting,
  slice: Slice,
  most: number,
): Promise<{ tally: Tally; distinct: number }> {
  const uuids = distinctUuids(context.source, 'none', alone(slice));
  const [row] = await context.warehouse.rows<TallyRow & { distinct: string | number }>({
    sql: `SELECT ${tallyColumns('uuid')},
                 uniqExactIf(${folded('uuid')}, rowNumberInAllBlocks() < {most:UInt64}) AS distinct
            FROM (${uuids.sql})`,
    params: { ...uuids.params, most },
    settings: querySettings(context),
    signal: context.signal,
  });
  return row ? { tally: tallyOf(row), distinct: Number(row.distinct) } : { tally: NO_ROWS, distinct: 0 };
}

/** How many uuids more than one row has, when not all of the run's `rows` certainly differ. */
async function countRepeated(context: Counting, rows: number, rowsPerLook: number): Promise<number> {
  let repeated = 0;
  for (const slice of cut(Math.ceil(rows / rowsPerLook))) {
    if (slice.of > 1) {
      const { tally, distinct } = await countStored(context, slice, rows);
      if (distinct === tally.rows) continue;
    }
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
