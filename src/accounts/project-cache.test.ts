import { setImmediate as answered } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import type { Project } from '../http/endpoint.ts';
import { createProjectCache } from './project-cache.ts';

const SHOP = { id: 7 } as Project;
const MINUTE = 60_000;

/** A cache in front of a database that answers, fails, or is silent until it is told to fail. */
function cache() {
  const state = { now: 1_000_000, asked: 0, answer: SHOP as Project | null | Error | 'silence' };
  let breakOff = (_: Error) => {};
  const find = async () => {
    state.asked++;
    if (state.answer === 'silence') {
      return new Promise<never>((_, reject) => {
        breakOff = reject;
      });
    }
    if (state.answer instanceof Error) throw state.answer;
    return state.answer;
  };
  const projectOf = createProjectCache({ now: () => state.now }, find);
  return { state, projectOf, breakOff: (error: Error) => breakOff(error) };
}

const AWAY = new SluiceError('database_unavailable');

it('asks once a minute, and for an unknown key after five seconds', async () => {
  const { state, projectOf } = cache();
  for (const passed of [0, MINUTE - 1, 1, MINUTE - 1]) {
    state.now += passed;
    expect(await projectOf('phc_1')).toBe(SHOP);
  }
  expect(state.asked).toBe(2);
  state.answer = null;
  expect(await projectOf('phc_2')).toBeNull();
  state.now += 5_000;
  await projectOf('phc_2');
  expect(state.asked).toBe(4);
});

it('goes on for a day with the last answer while the database is away, and asks again every few seconds', async () => {
  const { state, projectOf } = cache();
  await projectOf('phc_1');
  state.answer = AWAY;
  for (let minutes = 0; minutes < 24 * 60 - 1; minutes++) {
    state.now += MINUTE;
    expect(await projectOf('phc_1')).toBe(SHOP);
    await answered();
  }
  const asked = state.asked;
  expect(asked).toBe(24 * 60);
  state.now += 4_000;
  await projectOf('phc_1');
  expect(state.asked).toBe(asked);
  state.now += MINUTE;
  await projectOf('phc_1').catch(() => {});
  await answered();
  state.now += MINUTE;
  await expect(projectOf('phc_1')).rejects.toBe(AWAY);
  await expect(projectOf('phc_3')).rejects.toBe(AWAY);
  state.answer = null;
  expect(await projectOf('phc_1')).toBeNull();
});

it('waits for a database that gives no answer only as long as nobody knows that it does not', async () => {
  const { state, projectOf, breakOff } = cache();
  await projectOf('phc_1');
  state.answer = 'silence';
  state.now += MINUTE;
  const first = projectOf('phc_1');
  state.now += 2_001;
  expect(await projectOf('phc_1')).toBe(SHOP);
  breakOff(AWAY);
  expect(await first).toBe(SHOP);
  state.now += 5_000;
  expect(await projectOf('phc_1')).toBe(SHOP);
  breakOff(AWAY);
  expect(state.asked).toBe(3);
});

it('says after five seconds that it cannot know a key while the database gives no answer', async () => {
  const { state, projectOf, breakOff } = cache();
  state.answer = 'silence';
  const first = expect(projectOf('phc_1')).rejects.toBe(AWAY);
  state.now += 5_000;
  const second = expect(projectOf('phc_1')).rejects.toBe(AWAY);
  state.now += 1;
  await expect(projectOf('phc_1')).rejects.toMatchObject({ code: 'database_unavailable' });
  expect(state.asked).toBe(1);
  breakOff(AWAY);
  await Promise.all([first, second]);
});

it('what a working database says holds: a key that is no more, an error that is none of its absence', async () => {
  const { state, projectOf } = cache();
  await projectOf('phc_1');
  state.now += MINUTE;
  state.answer = new Error('a bug');
  await expect(projectOf('phc_1')).rejects.toThrow('a bug');
  await expect(projectOf('phc_1')).rejects.toThrow('a bug');
  state.answer = null;
  expect(await projectOf('phc_1')).toBeNull();
});

it('goes on with the projects that it knows, however many unknown keys were asked for', async () => {
  const { state, projectOf } = cache();
  await projectOf('phc_1');
  state.answer = null;
  for (let n = 0; n < 10_001; n++) await projectOf(`phc_strange_${n}`);
  const asked = state.asked;
  await projectOf('phc_strange_10000');
  expect(state.asked).toBe(asked);
  await projectOf('phc_strange_0');
  expect(state.asked, 'the oldest makes room').toBe(asked + 1);
  state.answer = AWAY;
  state.now += MINUTE;
  expect(await projectOf('phc_1')).toBe(SHOP);
});

it('of more projects than it keeps it forgets the one it asked for longest ago', async () => {
  const { state, projectOf } = cache();
  for (let n = 0; n < 10_000; n++) await projectOf(`phc_${n}`);
  state.now += MINUTE;
  await projectOf('phc_0');
  await projectOf('phc_new');
  state.answer = AWAY;
  expect(await projectOf('phc_0')).toBe(SHOP);
  await expect(projectOf('phc_1')).rejects.toBe(AWAY);
});
