import { expect, it } from 'vitest';
import { mostStructures, refuseMoreStructures } from './structures.ts';

const refusal = (text: string, most = mostStructures(text)) => {
  try {
    refuseMoreStructures(text, most);
  } catch (error) {
    return error;
  }
  return null;
};

it('counts objects and lists', () => {
  expect(refusal('{"a":[{},[]]}', 4)).toBeNull();
  expect(refusal('{"a":[{},[]]}', 3)).toMatchObject({
    code: 'request_too_large',
    message: 'The body holds more than 3 objects and lists.',
  });
});

it.each([
  ['the smallest events there are', '{"event":"a","distinct_id":"b"},', 600_000],
  ['events with lists of places', `{"event":"a","p":[${'[52.52,13.40],'.repeat(50)}]},`, 5_000],
  [
    'events of clicks',
    `{"event":"$autocapture","p":{"$elements":[${'{"tag_name":"div"},'.repeat(20)}]}},`,
    5_000,
  ],
  ['a hundred thousand lists in each other', '[', 100_000],
])('lets %s pass', (_, piece, times) => expect(refusal(piece.repeat(times))).toBeNull());

it.each(['{},', '[],', '{"a":1},', '['])('refuses 4 MB of %s', (piece) =>
  expect(refusal(piece.repeat(4e6 / piece.length))).toMatchObject({ code: 'request_too_large' }),
);
