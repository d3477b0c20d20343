import { expect, it } from 'vitest';
import { briefSettleDelay } from './settings.ts';

const told = (settleSeconds: number | null, databaseUrl?: string, clickhouseUrl?: string) =>
  briefSettleDelay({ settleSeconds, databaseUrl, clickhouseUrl });

it('a settle delay that ends healthy inserts is told of, where inserts have a limit of time', () => {
  const [database, clickhouse] = ['postgres://there/db', 'http://there'];
  for (const seconds of [1, 9]) {
    expect(told(seconds, database, clickhouse)).toContain(`${seconds / 2} s to be inserted`);
    // The only process has no limit.
    expect(told(seconds, undefined, clickhouse)).toBeNull();
  }
  for (const seconds of [null, 0, 10]) expect(told(seconds, database, clickhouse)).toBeNull();
});
