import { SluiceError } from '../../../errors/error.ts';

/** How much may go on at once in this process. */
export interface Turns {
  readonly all: number;
  /** Of one project: the others must find something left. */
  readonly each: number;
}

/**
 * Hands out turns; each is given back by disposing of it. Throws `throttled` when the project or all together have no
 * more. `what` completes "Too many queries are …".
 */
export function createTurns({ all, each }: Turns, what: string): (teamId: number) => Disposable {
  const taken = new Map<number, number>();
  let total = 0;
  const refuse = (whose: string) => {
    const detail = `Too many queries ${whose}are ${what} at the moment.`;
    return new SluiceError('throttled', { detail, retryAfter: 5 });
  };
  const move = (teamId: number, by: 1 | -1) => {
    const left = (taken.get(teamId) ?? 0) + by;
    if (left === 0) taken.delete(teamId);
    else taken.set(teamId, left);
    total += by;
  };
  return (teamId) => {
    if ((taken.get(teamId) ?? 0) >= each) throw refuse('of this project ');
    if (total >= all) throw refuse('');
    move(teamId, 1);
    return { [Symbol.dispose]: () => move(teamId, -1) };
  };
}
