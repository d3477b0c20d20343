import { expect, it } from 'vitest';
import { untilEnded } from './until-ended.ts';

const run = (
  status: string,
  latest_error: string | null = null,
  records_completed: number | null = null,
) => ({
  status,
  latest_error,
  records_completed,
  backfill: 'b',
});

/** The runs at each look; the last ones stay. Each look takes a second. */
async function wait(looks: readonly (readonly object[])[], patienceMs: number | null) {
  let now = 0;
  let looked = 0;
  const ended: number[] = [];
  const troubles: string[] = [];
  const get = async (path: string) => {
    if (path === 'base/backfills/id/') return { status: 'Completed' } as never;
    return { results: looks[Math.min(looked++, looks.length - 1)] } as never;
  };
  const sleep = async () => {
    now += 1000;
  };
  const runs = await untilEnded({ get }, 'base', 'id', {
    clock: { now: () => now, sleep },
    onEnded: (count) => void ended.push(count),
    onTrouble: (error) => void troubles.push(error),
    patienceMs,
  });
  return { statuses: runs.map(({ status }) => status), ended, troubles, seconds: now / 1000 };
}

it('waits until all have ended, and tells once what each fails with', async () => {
  const full = run('Running', 'The disk is full.');
  const looks = [
    [run('Starting')],
    [full, full],
    [full, run('Running', 'No answer.')],
    [full],
    [run('Completed'), run('Completed')],
  ];
  expect(await wait(looks, null)).toEqual({
    statuses: ['Completed', 'Completed'],
    ended: [0, 0, 0, 0, 2],
    troubles: ['The disk is full.', 'No answer.'],
    seconds: 4,
  });
});

it('gives up when nothing has changed for so long as it is patient', async () => {
  const rows = (count: number) => [run('Running', null, count)];
  const found = await wait([rows(1), rows(2), rows(2), rows(3)], 120_000);
  expect(found).toMatchObject({ statuses: ['Running'], seconds: 3 + 120 });
});
