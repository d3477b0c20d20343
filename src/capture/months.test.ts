import { expect, it } from 'vitest';
import { refuseManyMonths } from './months.ts';

const monthly = (months: number) =>
  Array.from({ length: months }, (_, n) => ({ timestampMicros: Date.UTC(1950, n, 1) * 1000 }));

it('lets 390 months pass, however many events they hold, and refuses 410', () => {
  expect(() => refuseManyMonths([...monthly(390), ...monthly(390)])).not.toThrow();
  expect(() => refuseManyMonths(monthly(410))).toThrow(
    expect.objectContaining({ code: 'request_too_large' }),
  );
});
