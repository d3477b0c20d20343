import { closeSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createLogger } from './log.ts';
import { lineWriter } from './log-lines.ts';

it('drops lines while the disk is full', () => {
  const full = openSync('/dev/full', 'w');
  const log = createLogger('info', full);
  log.info('one');
  log.error({ err: new Error('no') }, 'two');
  log.fatal('three');
  closeSync(full);
  log.info('nothing is there any more');
});

/** A destination that does what it is told, in turn: takes so many bytes, or fails. */
function destination(answers: (number | string)[]) {
  const lost: number[] = [];
  let written = '';
  let waited = 0;
  const write = (_: number, bytes: Uint8Array) => {
    const answer = answers.shift() ?? bytes.length;
    if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: answer });
    written += Buffer.from(bytes.subarray(0, answer)).toString();
    return answer;
  };
  const wait = (ms: number) => {
    waited += ms;
  };
  const lines = lineWriter(2, (count) => lost.push(count), { write, wait });
  return { lines, lost, written: () => written, waited: () => waited };
}

it('tells how many were lost, and keeps whole lines apart from halves', () => {
  const { lines, lost, written } = destination([3, 'ENOSPC', 'ENOSPC']);
  for (const line of ['first\n', 'second\n', 'third\n', 'fourth\n']) lines.write(line);
  expect(written()).toBe('fir\nthird\nfourth\n');
  expect(lost).toEqual([2]);
});

it('waits for a reader that is slow, not for one that has stopped', () => {
  const slow = destination(['EAGAIN', 2, 'EAGAIN']);
  slow.lines.write('first\n');
  expect(slow.written()).toBe('first\n');
  const stopped = destination(Array(1_000).fill('EAGAIN'));
  stopped.lines.write('first\n');
  const once = stopped.waited();
  expect(once).toBeLessThan(10_000);
  stopped.lines.write('second\n');
  expect(stopped.waited()).toBe(once);
});
