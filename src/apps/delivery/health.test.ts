import { describe, expect, it } from 'vitest';
import { createHealth } from './health.ts';

const counters = { failing: () => {}, attemptFailed: () => {} };

const failure = (retryAfter?: number, toMend = false) => ({ retryAfter, toMend });

function health() {
  const clock = { at: 1_000_000, now: () => clock.at };
  const backoff = { baseMs: 1_000, capMs: 60_000 };
  const stored = { failures: 0, failingSince: null, nextAttemptAt: null };
  return { clock, health: createHealth({ clock, random: () => 1, counters }, backoff, stored) };
}

describe('batches on the way together', () => {
  it('fail once, and the longest wait that was asked for counts', () => {
    const { health: each } = health();
    each.failed(failure());
    expect(each).toMatchObject({ failures: 1, waitMs: 1_000 });
    each.failed(failure(30));
    expect(each).toMatchObject({ failures: 1, waitMs: 30_000 });
    each.failed(failure(2));
    expect(each).toMatchObject({ failures: 1, waitMs: 30_000 });
  });

  it('one that is taken does not cut short what another waits for', () => {
    const { health: each } = health();
    each.failed(failure(30));
    each.succeeded();
    expect(each).toMatchObject({ failures: 0, waitMs: 30_000 });
    each.failed(failure());
    expect(each).toMatchObject({ failures: 1, waitMs: 30_000 });
  });

  it('a pause is no failure, and hides none', () => {
    const { health: each } = health();
    each.pause(5_000);
    expect(each).toMatchObject({ failures: 0, waitMs: 5_000 });
    each.failed(failure());
    expect(each).toMatchObject({ failures: 1, waitMs: 5_000 });
  });
});

it('failures in a row wait longer and longer', () => {
  const { clock, health: each } = health();
  for (const wait of [1_000, 2_000, 4_000]) {
    each.failed(failure());
    expect(each.waitMs).toBe(wait);
    clock.at += wait;
  }
  expect(each.failures).toBe(3);
});

it('a stored wait is no longer than waits are, should the clock have been set back since', () => {
  const clock = { now: () => 1_000_000 };
  const stored = { failures: 3, failingSince: 0, nextAttemptAt: clock.now() + 24 * 3_600_000 };
  const backoff = { baseMs: 1_000, capMs: 60_000 };
  expect(createHealth({ clock, random: () => 1, counters }, backoff, stored).waitMs).toBe(3_600_000);
});

it('knows for how long there was no success, and how often in a row somebody has to mend something', () => {
  const { clock, health: each } = health();
  const fail = (toMend: boolean) => {
    each.failed(failure(undefined, toMend));
    clock.at += 60_000;
  };
  for (const toMend of [true, false, true, true]) fail(toMend);
  expect(each).toMatchObject({ failures: 4, toMend: 2, failingMs: 240_000 });
  each.succeeded();
  expect(each).toMatchObject({ failures: 0, toMend: 0, failingMs: 0 });
  fail(true);
  expect(each).toMatchObject({ failures: 1, toMend: 1, failingMs: 60_000 });
});
