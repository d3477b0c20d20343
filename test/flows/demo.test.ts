import { expect, it } from 'vitest';
import { takeTour } from '../../src/demo/tour.ts';
import { SettableClock } from '../kit/settable-clock.ts';
import { startInProcess } from '../kit/sluice-in-process.ts';

const HOUR_MS = 3_600_000;
const COUNT = 3_000;

it('adds up when an hour ends while yesterday is exported', async () => {
  const clock = new SettableClock(new Date().toISOString());
  const sluice = await startInProcess(clock);
  try {
    const result = await takeTour({
      ready: {
        url: sluice.url,
        project_id: sluice.project,
        project_api_key: sluice.projectApiKey,
        personal_api_key: sluice.personalApiKey,
      },
      filesRoot: sluice.filesRoot,
      count: COUNT,
      seed: 1,
      clock,
      onTrouble: () => {},
      patienceMs: null,
      progress: (label) => {
        // The events have arrived in this hour: the run that its end starts and the backfill want the same ones.
        if (label === 'export') clock.moveTo((Math.floor(clock.now() / HOUR_MS) + 1) * HOUR_MS + 1);
        return { update: () => {}, end: () => {} };
      },
    });
    expect(result.problems).toEqual([]);
    expect(result.read).toMatchObject({ rows: COUNT, distinctUuids: COUNT });
    expect(result.runs.filter((run) => run.backfill === null)).toHaveLength(1);
    expect(result.runs).toHaveLength(25);
  } finally {
    await sluice.stop();
  }
});
