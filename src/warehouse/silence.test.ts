import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchSilence } from './silence.ts';

const SILENCE = 10_000;
const unanswered = () => new Promise<void>(() => {});
const refused = () => Promise.reject(new Error('nobody'));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

it.each([
  ['refuses', refused],
  ['never answers', unanswered],
])('a server that %s a ping is given up after twice the silence, not before', async (_, ping) => {
  const watch = watchSilence(SILENCE, ping);
  await vi.advanceTimersByTimeAsync(1.8 * SILENCE);
  expect(watch.dead.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(0.2 * SILENCE);
  expect(watch.dead.reason).toMatchObject({ code: 'warehouse_unavailable' });
});

it('a server that answers pings may compute for as long as it likes', async () => {
  const ping = vi.fn(async () => {});
  const watch = watchSilence(SILENCE, ping);
  await vi.advanceTimersByTimeAsync(100 * SILENCE);
  expect(watch.dead.aborted).toBe(false);
  expect(ping.mock.calls.length).toBeGreaterThanOrEqual(99);
  watch.stop();
});

it('nobody is asked while bytes come, and a byte in the meantime is an answer, too', async () => {
  const ping = vi.fn(unanswered);
  const watch = watchSilence(SILENCE, ping);
  for (let n = 0; n < 5; n++) {
    await vi.advanceTimersByTimeAsync(0.9 * SILENCE);
    watch.heard();
  }
  expect(ping).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1.5 * SILENCE);
  expect(ping).toHaveBeenCalled();
  watch.heard();
  await vi.advanceTimersByTimeAsync(0.6 * SILENCE);
  expect(watch.dead.aborted).toBe(false);
  watch.stop();
});

it('a server that was away for a moment is asked again', async () => {
  let answers = false;
  const watch = watchSilence(SILENCE, () => (answers ? Promise.resolve() : refused()));
  await vi.advanceTimersByTimeAsync(1.5 * SILENCE);
  answers = true;
  await vi.advanceTimersByTimeAsync(5 * SILENCE);
  expect(watch.dead.aborted).toBe(false);
  watch.stop();
});

it('says nothing once it is stopped', async () => {
  const watch = watchSilence(SILENCE, unanswered);
  await vi.advanceTimersByTimeAsync(1.5 * SILENCE);
  watch.stop();
  await vi.advanceTimersByTimeAsync(5 * SILENCE);
  expect(watch.dead.aborted).toBe(false);
});
