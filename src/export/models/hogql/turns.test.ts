import { expect, it } from 'vitest';
import { createTurns } from './turns.ts';

it('one project leaves turns for the others, and all together have no more than there are', () => {
  const turn = createTurns({ all: 3, each: 2 }, 'being read');
  const throttled = (message: string) =>
    expect.objectContaining({ code: 'throttled', retryAfter: 5, message });
  const first = turn(1);
  turn(1);
  expect(() => turn(1)).toThrow(throttled('Too many queries of this project are being read at the moment.'));
  const other = turn(2);
  expect(() => turn(1), 'its own limit comes first').toThrow(throttled(expect.stringContaining('project')));
  expect(() => turn(3)).toThrow(throttled('Too many queries are being read at the moment.'));
  first[Symbol.dispose]();
  turn(3);
  expect(() => turn(1)).toThrow(throttled(expect.not.stringContaining('project')));
  other[Symbol.dispose]();
  turn(1);
});
