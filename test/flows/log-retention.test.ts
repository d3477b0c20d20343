import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { SettableClock } from '../kit/settable-clock.ts';
import { type InProcess, startInProcess } from '../kit/sluice-in-process.ts';

const DAY = 86_400_000;
const clock = new SettableClock('2026-03-01T12:30:00Z');
let sluice: InProcess;
beforeAll(async () => {
  sluice = await startInProcess(clock);
});
afterAll(() => sluice.stop());

it('log lines go after 90 days, runs stay', async () => {
  const { body } = await sluice.call('POST', 'batch_exports/', {
    name: 'kept',
    interval: 'day',
    paused: true,
    destination: { type: 'NoOp', config: {} },
  });
  const path = `batch_exports/${body.id}`;
  const event = { event: 'seen', distinct_id: 'a', timestamp: '2026-02-01T10:00:00Z' };
  const captured = await fetch(new URL('/batch/', sluice.url), {
    method: 'POST',
    body: JSON.stringify({ api_key: sluice.projectApiKey, batch: [event] }),
  });
  expect(captured.status).toBe(200);
  const asked = { start_at: '2026-02-01', end_at: '2026-02-02' };
  expect((await sluice.call('POST', `${path}/backfills/`, asked)).status).toBe(201);
  const runs = () => sluice.all(`${path}/runs/?after=-1000d`);
  const untilLines = (expected: unknown) =>
    vi.waitFor(
      async () => {
        const { body: log } = await sluice.call('GET', `${path}/logs/`);
        expect(log.results).toEqual(expected);
      },
      { timeout: 20_000, interval: 50 },
    );
  await untilLines(expect.arrayContaining([expect.objectContaining({ level: 'INFO' })]));
  await vi.waitFor(async () => expect(await runs()).toMatchObject([{ status: 'Completed' }]), 20_000);
  clock.advance(91 * DAY);
  await untilLines([]);
  expect(await runs()).toHaveLength(1);
});
