import type { Slice } from './spec.ts';

/**
 * Slices are residue classes: `part` of `of` holds the rows whose uuid hash leaves `part` when divided by
 * `of`. A class splits into two of twice the modulus, so slices can be halved at any time and still
 * cover everything exactly once.
 */
export const WHOLE: Slice = { part: 0, of: 1 };

/** Slices of one modulus that one scan reads together. */
export interface SliceSet {
  readonly parts: readonly number[];
  readonly of: number;
}

export const alone = ({ part, of }: Slice): SliceSet => ({ parts: [part], of });

/**
 * Items in sets of at most `most` whose slices have one modulus, and at least `atOnce` sets where there are as many
 * items, so that that many can be worked on side by side. Order is kept.
 */
export function setsOf<Item extends { readonly slice: Slice }>(
  items: readonly Item[],
  most: number,
  atOnce: number,
): Item[][] {
  const size = Math.max(1, Math.min(most, Math.ceil(items.length / atOnce)));
  const sets: Item[][] = [];
  for (const item of items) {
    const last = sets.at(-1);
    if (last && last.length < size && last[0]?.slice.of === item.slice.of) last.push(item);
    else sets.push([item]);
  }
  return sets;
}

/** `count` slices that cover everything. */
export function cut(count: number): Slice[] {
  return Array.from({ length: count }, (_, part) => ({ part, of: count }));
}

export function halves({ part, of }: Slice): [Slice, Slice] {
  return [
    { part, of: of * 2 },
    { part: part + of, of: of * 2 },
  ];
}

/** Whether every row of `inner` is a row of `outer`. */
export function contains(outer: Slice, inner: Slice): boolean {
  return inner.of % outer.of === 0 && inner.part % outer.of === outer.part;
}

/**
 * What is left to do besides `done`, which an earlier attempt finished with a cut of its own: slices at least
 * as fine as `count` of them where that is possible. With nothing done: `cut(count)`.
 *
 * All slices of one run come from halving one first cut, whose number of slices is their common odd
 * factor times a power of two: starting from that factor and halving around what is done finds the rest.
 */
export function remaining(done: readonly Slice[], count: number): Slice[] {
  const [first] = done;
  if (!first) return cut(count);
  const rest = (slice: Slice): Slice[] => {
    if (done.some((finished) => contains(finished, slice))) return [];
    const touched = done.some((finished) => contains(slice, finished));
    return touched || slice.of < count ? halves(slice).flatMap(rest) : [slice];
  };
  return cut(oddFactor(first.of)).flatMap(rest);
}

function oddFactor(n: number): number {
  let odd = n;
  while (odd % 2 === 0) odd /= 2;
  return odd;
}
