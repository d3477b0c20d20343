import { expect, it } from 'vitest';
import { complaints } from './complaints.ts';

function told() {
  const lines: unknown[] = [];
  let now = 1_000_000;
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, ...fields, message });
  const log = { warn: write('warn'), info: write('info') } as unknown as Parameters<typeof complaints>[0];
  return {
    lines,
    report: complaints(log, { now: () => now }, 'no answer'),
    pass: (ms: number) => (now += ms),
  };
}

const warn = (more: object = {}) => ({ level: 'warn', err: 'down', message: 'no answer', ...more });

it('tells the first failure, then one line a minute with their number, then that it is over', () => {
  const { lines, report, pass } = told();
  report.worked();
  for (let second = 0; second < 130; second++) {
    report.failed('down', { second });
    pass(1_000);
  }
  report.worked();
  report.worked();
  expect(lines).toEqual([
    warn({ second: 0 }),
    warn({ second: 60, failures: 60 }),
    warn({ second: 120, failures: 60 }),
    { level: 'info', failures: 130, message: 'over: no answer' },
  ]);
});

it('does not tell each time of what comes and goes', () => {
  const { lines, report, pass } = told();
  for (let second = 0; second < 61; second++) {
    report.failed('down');
    report.worked();
    pass(1_000);
  }
  expect(lines).toEqual([
    warn(),
    { level: 'info', failures: 1, message: 'over: no answer' },
    warn({ failures: 60 }),
    { level: 'info', failures: 1, message: 'over: no answer' },
  ]);
});

it('an error of another kind is told at once', () => {
  const { lines, report, pass } = told();
  const [outage, bug] = [Object.assign(new Error('away'), { code: 'ECONNREFUSED' }), new TypeError('a bug')];
  report.failed(outage);
  report.worked();
  pass(20_000);
  for (let n = 0; n < 3; n++) report.failed(bug);
  report.failed(outage);
  expect(lines).toEqual([
    warn({ err: outage }),
    { level: 'info', failures: 1, message: 'over: no answer' },
    warn({ err: bug }),
  ]);
});

it('a clock that was set back silences nobody', () => {
  const { lines, report, pass } = told();
  report.failed('down');
  pass(-3_600_000);
  report.failed('down');
  expect(lines).toEqual([warn(), warn()]);
});
