import { expect, it } from 'vitest';
import { loop } from './loop.ts';

it('pauses longer after failures in a row, up to five seconds, and never shorter than it is told', async () => {
  const pauses = async (pauseMs: number, outcomes: (number | undefined | Error)[]) => {
    const slept: number[] = [];
    const heard: string[] = [];
    const done = Promise.withResolvers<void>();
    const sleep = async (ms: number) => void slept.push(ms);
    const turn = async () => {
      const outcome = outcomes.shift();
      if (outcomes.length === 0) done.resolve();
      if (outcome instanceof Error) throw outcome;
      return outcome;
    };
    const report = { failed: () => heard.push('failed'), worked: () => heard.push('worked') };
    const running = loop({ now: () => 0, sleep }, pauseMs, turn, report);
    await done.promise;
    await running.stop();
    return { slept, heard };
  };
  const down = new Error('down');
  const quick = await pauses(1_000, [undefined, down, down, 20, down, undefined]);
  expect(quick.slept).toEqual([1_000, 2_000, 3_000, 20, 2_000, 1_000]);
  expect(quick.heard).toEqual(['worked', 'failed', 'failed', 'worked', 'failed', 'worked']);
  const long = await pauses(1_000, [down, down, down, down, down, down]);
  expect(long.slept.at(-1)).toBe(5_000);
  expect((await pauses(60_000, [down, undefined])).slept).toEqual([60_000, 60_000]);
});
