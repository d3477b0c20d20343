import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import { createPlaces, placeOf } from './places.ts';
import type { RunSnapshot } from './snapshot.ts';

const AWAY = new SluiceError('destination_unavailable');
let now = 1_000_000;
const places = (turns: number) => createPlaces(turns, { now: () => now });

it('lets any number in while a place answers', () => {
  const { enter, leave } = places(2);
  expect([enter('a'), enter('a')]).toEqual([null, null]);
  leave('a');
  expect([enter('a'), enter('b')]).toEqual([null, null]);
});

it('lets one run at a time find out whether a place answers again', () => {
  const { enter, answers, leave } = places(4);
  expect([enter('a'), enter('a')]).toEqual([null, null]);
  leave('a', AWAY);
  expect(enter('a')).toBe(5_000);
  leave('a', AWAY);
  expect(enter('a')).toBeNull();
  expect([enter('a'), enter('b')]).toEqual([5_200, null]);
  answers('a');
  expect([enter('a'), enter('a')]).toEqual([null, null]);
});

it('takes a run that ended well without a word of its place for nothing', () => {
  const { enter, leave } = places(4);
  enter('a');
  leave('a', AWAY);
  enter('a');
  leave('a');
  expect([enter('a'), enter('a')]).toEqual([null, 5_000]);
});

it('forgets no place that does not answer, however long nobody asks', () => {
  const { enter, leave } = places(2);
  for (const place of ['a', 'b']) {
    enter(place);
    leave(place, AWAY);
  }
  now += 86_400_000;
  expect([enter('a'), enter('a'), enter('b'), enter('c')]).toEqual([null, 5_000, 5_000, null]);
});

it('has the runs of one place wait for their own place alone', () => {
  const { enter, leave } = places(4);
  for (const place of ['a', 'b']) {
    enter(place);
    leave(place, AWAY);
    enter(place);
  }
  for (let n = 0; n < 1_000; n++) enter('a');
  expect(enter('b')).toBe(5_000);
});

it('leaves a turn to others, however many places do not answer', () => {
  const { enter, leave } = places(2);
  for (const place of ['a', 'b']) expect(enter(place)).toBeNull();
  for (const place of ['a', 'b']) leave(place, AWAY);
  expect([enter('a'), enter('b'), enter('c')]).toEqual([null, 5_000, null]);
  leave('a', AWAY);
  expect(enter('b')).toBeNull();
});

it('with a single turn, too, tries a place that did not answer', () => {
  const { enter, leave } = places(1);
  enter('a');
  leave('a', AWAY);
  expect(enter('a')).toBeNull();
});

it.each([
  ['denied', new SluiceError('destination_denied'), null],
  ['has lost an upload', new SluiceError('destination_changed'), null],
  ['told nothing', new SluiceError('warehouse_unavailable'), 5_000],
])('a place that %s', (_, error, expected) => {
  const { enter, leave } = places(4);
  enter('a');
  leave('a', AWAY);
  enter('a');
  leave('a', error);
  enter('a');
  expect(enter('a')).toBe(expected);
});

it('is not taken for one that does not answer for a file that somebody took away', () => {
  const { enter, leave } = places(2);
  enter('a');
  leave('a', new SluiceError('destination_changed'));
  expect([enter('a'), enter('a')]).toEqual([null, null]);
});

it('spaces out those that wait, and asks again no later than after ten minutes', () => {
  const { enter, leave } = places(2);
  enter('a');
  leave('a', AWAY);
  enter('a');
  const waits = Array.from({ length: 5_000 }, () => enter('a') ?? 0);
  expect(waits.slice(0, 3)).toEqual([5_000, 5_200, 5_400]);
  expect(Math.max(...waits)).toBe(600_000);
  leave('a', AWAY);
  enter('a');
  now += 599_000;
  expect(enter('a')).toBe(5_000);
});

it('does not wait for a run that is at work for long', () => {
  const { enter, leave } = places(2);
  expect([enter('a'), enter('a')]).toEqual([null, null]);
  leave('a', AWAY);
  expect(enter('a')).toBe(5_000);
  now += 2_400_000;
  expect(enter('a')).toBeNull();
});

it('is the store: its integration, region or address', () => {
  const snapshot = (type: string, integrationId: number | null, config: object) =>
    ({ destination: { type, integrationId, config } }) as RunSnapshot;
  const one = placeOf(snapshot('S3Compatible', 1, { bucket_name: 'a', region: 'x' }));
  expect(placeOf(snapshot('S3Compatible', 1, { bucket_name: 'b', region: 'x' }))).toBe(one);
  expect(placeOf(snapshot('S3Compatible', 2, { bucket_name: 'a', region: 'x' }))).not.toBe(one);
  expect(placeOf(snapshot('HTTP', null, { url: 'u' }))).not.toBe(
    placeOf(snapshot('HTTP', null, { url: 'v' })),
  );
});
