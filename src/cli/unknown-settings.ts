import { type Environment, settingNames } from '../config.ts';

/** Read by the commands themselves, for tests. */
const OF_TESTS = ['SLUICE_TEST', 'SLUICE_TEST_NOW', 'SLUICE_CRASH_AT'];

/** A sentence for each `SLUICE_…` that nothing reads: a mistyped name would else be a default without a word. */
export function unknownSettings(env: Environment): string[] {
  const known = [...settingNames(), ...OF_TESTS];
  return Object.keys(env)
    .filter((name) => name.startsWith('SLUICE_') && !known.includes(name))
    .map((name) => `${name} is no setting and is ignored; the nearest is ${nearest(name, known)}`);
}

function nearest(name: string, known: readonly string[]): string {
  const distances = known.map((one) => ({ one, distance: editDistance(name, one) }));
  return distances.reduce((best, next) => (next.distance < best.distance ? next : best)).one;
}

/** Letters to insert, remove or replace to make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
