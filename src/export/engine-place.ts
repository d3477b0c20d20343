import type { Slot } from './destinations/destination.ts';
import { expectedBytes } from './expected-bytes.ts';
import type { Work } from './plan.ts';
import type { RunContext } from './ports.ts';
import { isPlainPath, SLICE_NUMBER } from './queries.ts';
import { keyOf } from './slice-key.ts';
import type { Slice } from './spec.ts';
import { spoolPath } from './spool.ts';

/** Where the engine writes a file: the staged file itself, or one in the spool that is sent on from there. */
export interface EnginePlace {
  readonly path: string;
  readonly temporary: boolean;
}

export const slotOf = (context: RunContext, slice: Slice): Slot => slotFor(context, keyOf(context, slice));

/** The same for the file of some work, with how large it will be. Throws the warehouse's errors. */
export const slotForWork = async (context: RunContext, { slice, expected }: Work): Promise<Slot> => ({
  ...slotOf(context, slice),
  expectedBytes: await expectedBytes(context, expected.rows),
});

const slotFor = ({ attempt, format, spec }: RunContext, key: string): Slot => ({
  runId: spec.runId,
  attempt,
  key,
  contentType: format.contentType,
});

/** The place of a slice of about `rows` rows; null when the engine cannot write here, and bytes pass through. */
export async function enginePlace(
  context: RunContext,
  slice: Slice,
  rows: number,
): Promise<EnginePlace | null> {
  if (!context.warehouse.localFiles) return null;
  const own = await context.target.stagingPath(slotOf(context, slice));
  if (own !== null) return isPlainPath(own) ? { path: own, temporary: false } : null;
  return await inSpool(context, `${slice.part}`, slice.of, rows);
}

/** One place for several slices of a modulus, `SLICE_NUMBER` in its path, and the place of each. */
export interface SharedPlace {
  readonly path: string;
  placeOf(work: Work): EnginePlace;
}

/** Null when the engine cannot write these slices together. */
export async function sharedPlace(context: RunContext, works: readonly Work[]): Promise<SharedPlace | null> {
  const [first] = works;
  if (!first || !context.warehouse.localFiles) return null;
  const { target, names } = context;
  const pattern = await target.stagingPath(slotFor(context, names.key(SLICE_NUMBER)));
  if (pattern === null) {
    const rows = works.reduce((sum, { expected }) => sum + expected.rows, 0);
    const spooled = await inSpool(context, SLICE_NUMBER, first.slice.of, rows);
    return spooled && shared(spooled);
  }
  if (!isPlainPath(pattern.replace(SLICE_NUMBER, ''))) return null;
  const place = shared({ path: pattern, temporary: false });
  for (const work of works) {
    // Removes what an earlier attempt of the same name left, and makes sure that the target knows the file by it.
    const own = await target.stagingPath(slotOf(context, work.slice));
    if (own !== place.placeOf(work).path) return null;
  }
  return place;
}

const shared = ({ path, temporary }: EnginePlace): SharedPlace => ({
  path,
  placeOf: ({ slice }) => ({ path: path.replace(SLICE_NUMBER, `${slice.part}`), temporary }),
});

async function inSpool(
  { attempt, spec, spool }: RunContext,
  number: string,
  of: number,
  rows: number,
): Promise<EnginePlace | null> {
  if (spool === null || !isPlainPath(spool)) return null;
  const path = await spoolPath(spool, `${spec.runId}.${attempt}.${number}-${of}`, rows);
  return path === null ? null : { path, temporary: true };
}
