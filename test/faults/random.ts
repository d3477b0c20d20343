/** A seeded source of 0 ≤ x < 1 (mulberry32): the same seed, the same test. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `SLUICE_SEED` to repeat a failure, else a new one; printed either way. */
export function chooseSeed(what: string): number {
  const given = Number(process.env.SLUICE_SEED);
  const seed = Number.isInteger(given) && given > 0 ? given : Date.now() & 0x7fffffff || 1;
  process.stdout.write(`${what}: SLUICE_SEED=${seed}\n`);
  return seed;
}

/** `npm run test:faults` asks for the long versions. */
export const LONG = process.env.SLUICE_FAULTS === 'long';
