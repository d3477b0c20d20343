import { readFileSync } from 'node:fs';
import { APP_STEPS } from '../apps/steps.ts';
import { RUN_STEPS } from '../batch-exports/runs/steps.ts';
import { INSERT_STEPS } from '../capture/steps.ts';
import type { Environment } from '../config.ts';
import { SluiceError } from '../errors/error.ts';
import { STEPS } from '../export/steps.ts';

/** Every step at which the fault tests may stop the process. */
export const CRASH_POINTS: readonly string[] = [...STEPS, ...RUN_STEPS, ...INSERT_STEPS, ...APP_STEPS];

interface CrashPoint {
  readonly step: string;
  /** From 1. */
  readonly occurrence: number;
}

/**
 * For the fault tests: what to tell of every step so that the process dies at one of them. `SLUICE_CRASH_AT` is
 * `<step>`, `<step>:<n>` for its n-th occurrence, or `@<file>`: then the file, which need not exist, holds the
 * point and may be written while the server runs. Null without `SLUICE_TEST=1`, whatever else is set. Throws
 * `bad_configuration` for a step that there is not.
 */
export function crashAt(env: Environment, die: () => void): ((step: string) => void) | null {
  const setting = env.SLUICE_CRASH_AT;
  if (env.SLUICE_TEST !== '1' || !setting) return null;
  const wanted = setting.startsWith('@') ? pointInFile(setting.slice(1)) : constant(pointOf(setting));
  let last = '';
  let seen = 0;
  return (step) => {
    const point = wanted();
    if (point === null) return;
    const name = `${point.step}:${point.occurrence}`;
    if (name !== last) seen = 0;
    last = name;
    if (step !== point.step) return;
    seen += 1;
    if (seen === point.occurrence) die();
  };
}

const constant = (point: CrashPoint) => () => point;

const pointInFile = (file: string) => (): CrashPoint | null => {
  const text = readIfThere(file);
  return text === '' ? null : pointOf(text);
};

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

function pointOf(text: string): CrashPoint {
  const [step = '', count = '1', ...rest] = text.split(':');
  const occurrence = Number(count);
  if (CRASH_POINTS.includes(step) && Number.isInteger(occurrence) && occurrence > 0 && rest.length === 0) {
    return { step, occurrence };
  }
  throw new SluiceError('bad_configuration', {
    detail: `SLUICE_CRASH_AT must be <step> or <step>:<n>, not "${text}"; the steps are ${CRASH_POINTS.join(', ')}.`,
  });
}
