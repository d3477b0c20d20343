import { setImmediate as answered } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { watchOver } from './watchdog.ts';

/** Watches until it is told that somebody hangs, or has asked as often as there are answers. */
async function watched(answers: boolean[]) {
  let now = 0;
  let asked = 0;
  let hung = false;
  const stop = new AbortController();
  const ask = () => {
    const answer = answers[asked++];
    if (answer === undefined) stop.abort();
    if (asked % 2 === 0 && !answer) return Promise.reject(new Error('gone'));
    return answer ? Promise.resolve() : new Promise<never>(() => {});
  };
  const sleep = async (ms: number) => {
    await answered();
    now += ms;
  };
  const onHung = () => {
    hung = true;
  };
  await watchOver({ clock: { now: () => now, sleep }, ask, onHung, hungAfterMs: 300_000 }, stop.signal);
  return { hung, asked, seconds: now / 1000 };
}

it('who gives no answer ten times in a row hangs', async () => {
  expect(await watched(Array(20).fill(false))).toEqual({ hung: true, asked: 10, seconds: 300 });
});

it('who answers now and then does not', async () => {
  const seldom = Array.from({ length: 60 }, (_, n) => n % 10 === 9);
  expect(await watched(seldom)).toMatchObject({ hung: false });
});

it('is asked every thirty seconds', async () => {
  expect(await watched([true, true, true])).toMatchObject({ hung: false, asked: 4, seconds: 120 });
});
