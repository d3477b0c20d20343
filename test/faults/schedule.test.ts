import { expect, it } from 'vitest';
import { INTERVALS, nominalLength } from '../../src/batch-exports/schedule/intervals.ts';
import {
  dueAt,
  firstCursor,
  nextIntervals,
  type Schedule,
} from '../../src/batch-exports/schedule/schedule.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 8: schedules of every kind looked at by clocks that jump. Every interval comes once, each touches the
 * one before, and together they are as long as the time that passed.
 */
const CASES = LONG ? 1_000_000 : 25_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Half an hour of daylight saving, a whole hour, none, on both halves of the earth, at midnight, abolished lately. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/St_Johns',
  'America/Havana',
  'America/Santiago',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Asia/Beirut',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Australia/Sydney',
  'Pacific/Chatham',
];
const [FROM, TO] = [Date.UTC(2023, 0, 1), Date.UTC(2029, 0, 1)];
const LEAP_DAYS = [Date.UTC(2024, 1, 29), Date.UTC(2028, 1, 29)];
/** A tick of the server takes no more at once. */
const LIMIT = 500;

const changes = new Map(ZONES.map((zone) => [zone, changesOf(zone)]));

/** The days on which the clocks of a zone change. */
function changesOf(zone: string): number[] {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  const offset = (at: number) => format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value;
  const days: number[] = [];
  let before = offset(FROM);
  for (let at = FROM; at < TO; at += DAY) {
    const now = offset(at);
    if (now !== before) days.push(at);
    before = now;
  }
  return days;
}

function anySchedule(random: () => number): Schedule {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const [day, hour] = [Math.floor(random() * 7), Math.floor(random() * 24)];
  const interval = pick(INTERVALS);
  const offset = { day: hour * 3600, week: (day * 24 + hour) * 3600 };
  return {
    exportId: `export ${Math.floor(random() * 1e9)}`,
    interval,
    timezone: pick(ZONES),
    offsetSeconds: interval === 'day' || interval === 'week' ? offset[interval] : null,
    startAt: null,
    endAt: null,
  };
}

/** Near a change of the clocks or a leap day more often than not. */
function anyInstant(schedule: Schedule, random: () => number): number {
  const special = [...(changes.get(schedule.timezone) ?? []), ...LEAP_DAYS];
  if (random() < 0.3) return Math.floor(FROM + random() * (TO - FROM));
  const near = special[Math.floor(random() * special.length)] as number;
  return Math.floor(near + (random() - 0.7) * 3 * DAY);
}

const JUMPS = [HOUR, -HOUR, 30 * DAY, -30 * DAY, 5 * MINUTE, DAY];

it(`${CASES} looks at schedules by clocks that jump`, { timeout: LONG ? 600_000 : 60_000 }, () => {
  const random = seeded(chooseSeed('schedule'));
  let intervals = 0;
  for (let looked = 0; looked < CASES; ) {
    const schedule = anySchedule(random);
    const jitterScale = random() < 0.5 ? 0 : 1;
    let now = anyInstant(schedule, random);
    const first = firstCursor(schedule, now);
    let cursor = first;
    let sum = 0;
    const wrong = (what: string, more: object) =>
      new Error(`${what}: ${JSON.stringify({ schedule, jitterScale, first, cursor, now, ...more })}`);
    for (let look = 0; look < 12; look++, looked++) {
      const length = nominalLength(schedule.interval);
      const jump = JUMPS[Math.floor(random() * JUMPS.length)] as number;
      // 30 days are 8,640 intervals of five minutes: once in a while is enough.
      now +=
        random() < 0.3 && (length >= HOUR || random() < 0.05)
          ? jump
          : Math.floor((random() - 0.2) * 3 * length);
      const due = nextIntervals(schedule, cursor, now, { limit: LIMIT, jitterScale });
      for (const { start, end } of due) {
        if (start !== cursor) throw wrong('a gap or an overlap', { start, end });
        if (end <= start || end > now) throw wrong('not over yet', { start, end });
        const off = Math.abs(end - start - length);
        if (off > (schedule.interval === 'day' || schedule.interval === 'week' ? HOUR : 0)) {
          throw wrong('a strange length', { start, end });
        }
        sum += end - start;
        cursor = end;
      }
      intervals += due.length;
      if (due.length < LIMIT) {
        const next = dueAt(schedule, cursor, jitterScale);
        if (next === null || next <= now) throw wrong('one is missing', { next });
      }
    }
    if (sum !== cursor - first) throw wrong('the sum', { sum });
  }
  expect(intervals).toBeGreaterThan(CASES / 2);
});
