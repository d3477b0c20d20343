import { readFileSync } from 'node:fs';
import type { Environment } from '../config.ts';
import { SluiceError } from '../errors/error.ts';
import { parseDateTime } from '../http/dates.ts';
import type { Clock } from '../work/clock.ts';

/**
 * For tests of anything that follows the time: a clock set to `SLUICE_TEST_NOW`, from where it runs on at the machine's
 * pace. A moment in ISO 8601 (UTC without an offset), or `@<file>`: then the file holds it, and writing another moment into
 * it sets the running server's clock. Null when it is not set, and, told to `onIgnored`, without `SLUICE_TEST=1`. Throws
 * `bad_configuration` for what is no moment.
 */
export function setClock(env: Environment, machine: Clock, onIgnored: () => void): Clock | null {
  const setting = env.SLUICE_TEST_NOW;
  if (!setting) return null;
  if (env.SLUICE_TEST !== '1') {
    onIgnored();
    return null;
  }
  const { sleep } = machine;
  if (!setting.startsWith('@')) return { now: runningFrom(momentOf(setting), machine), sleep };
  return { now: runningFromFile(setting.slice(1), machine), sleep };
}

function runningFrom(moment: number, machine: Pick<Clock, 'now'>): () => number {
  const ahead = moment - machine.now();
  return () => machine.now() + ahead;
}

/** Nobody sees the moment of writing: time runs from when the new content is first read. */
function runningFromFile(file: string, machine: Pick<Clock, 'now'>): () => number {
  let text = readMoment(file);
  let now = runningFrom(momentOf(text), machine);
  return () => {
    const found = readMoment(file);
    // A file about to be written is empty for an instant.
    if (found !== text && found !== '') {
      now = runningFrom(momentOf(found), machine);
      text = found;
    }
    return now();
  };
}

function readMoment(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new SluiceError('bad_configuration', {
      detail: 'SLUICE_TEST_NOW names a file that cannot be read.',
      cause,
    });
  }
}

function momentOf(text: string): number {
  const instant = parseDateTime(text, 'UTC');
  if (instant) return instant.epochMilliseconds;
  throw new SluiceError('bad_configuration', {
    detail: `SLUICE_TEST_NOW must be a moment such as 2021-12-05T13:23:00Z or @<file>, not "${text}".`,
  });
}
