import { expect, it } from 'vitest';
import { concurrently } from './concurrently.ts';

const never = new AbortController().signal;

it('does everything, also what steps add, and no more at once than allowed', async () => {
  const done: number[] = [];
  let active = 0;
  let most = 0;
  await concurrently(2, [1, 2, 3, 4], never, async (n) => {
    most = Math.max(most, ++active);
    await Promise.resolve();
    active--;
    done.push(n);
    return n < 10 ? [n * 10] : [];
  });
  expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 10, 20, 30, 40]);
  expect(most).toBe(2);
});

it('stops the others at the first failure and throws it when they have come to rest', async () => {
  const seen: string[] = [];
  const run = concurrently(2, ['fails', 'waits', 'never'], never, async (item, signal) => {
    if (item === 'fails') throw new Error('first');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    seen.push(item);
    throw new Error('second');
  });
  await expect(run).rejects.toThrow('first');
  expect(seen).toEqual(['waits']);
});

it('starts nothing when it is stopped already', async () => {
  const run = concurrently(2, [1], AbortSignal.abort(new Error('stop')), async () => expect.fail('started'));
  await expect(run).rejects.toThrow('stop');
});
