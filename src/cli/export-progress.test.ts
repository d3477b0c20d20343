import { expect, it } from 'vitest';
import type { Clock } from '../work/clock.ts';
import { followRun } from './export-progress.ts';

/** A bar of 1,000 rows over answers of the warehouse, the next one at each `look`. */
function following(answers: readonly (readonly object[])[]) {
  const drawn: number[] = [];
  const looks = [...answers];
  let asleep = Promise.withResolvers<void>();
  let wake = () => {};
  const clock: Clock = {
    now: () => 0,
    sleep: (_, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      signal?.addEventListener('abort', () => resolve());
      asleep.resolve();
      return promise;
    },
  };
  const rows = async () => {
    const answer = looks.shift();
    if (!answer) throw new Error('nobody may look');
    return answer as never;
  };
  const bar = { update: (done: number) => void drawn.push(done), end: () => void drawn.push(-1) };
  const progress = followRun({ warehouse: { rows }, clock }, { id: 'run', total: 1000 }, bar);
  const look = async () => {
    await asleep.promise;
    asleep = Promise.withResolvers();
    wake();
    await asleep.promise;
    return drawn.at(-1);
  };
  return { drawn, look, progress, first: () => asleep.promise };
}

const writing = (id: string, written_rows: string) => ({ query_id: id, kind: 'Insert', written_rows });

it('moves while a file is written, never back, and is full when the files are done', async () => {
  const { drawn, look, progress, first } = following([
    [],
    [writing('run-1-0-of-1', '400')],
    [writing('run-1-0-of-1', '900')],
    [writing('run-1-0-of-1', '1000')],
    [],
  ]);
  expect(drawn).toEqual([0]);
  await first();
  expect(await look()).toBe(400);
  expect(await look()).toBe(900);
  expect(await look()).toBe(999);
  expect(await look()).toBe(999);
  progress.finished(1000);
  await progress.end();
  expect(drawn.slice(-2)).toEqual([1000, -1]);
});

it('counts files side by side and after each other, and other queries not at all', async () => {
  const passed = (id: string, read_rows: string) => ({
    query_id: id,
    kind: 'Select',
    read_rows,
    total_rows_approx: '4000',
  });
  const { look, progress, first } = following([
    [],
    [passed('run-1-0-of-4', '2000'), passed('run-1-1.2-of-4', '1000'), writing('run-1-count', '777')],
    [passed('run-1-3-of-4', '400')],
  ]);
  await first();
  expect(await look()).toBe(125 + 125);
  progress.finished(750);
  expect(await look()).toBe(750);
  await progress.end();
});

it('goes by files where nobody may look', async () => {
  const { drawn, progress, first } = following([]);
  await first();
  progress.finished(500);
  progress.finished(1000);
  await progress.end();
  expect(drawn).toEqual([0, 500, 1000, -1]);
});
