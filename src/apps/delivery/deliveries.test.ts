import { Kysely, PostgresDialect } from 'kysely';
import { expect, it } from 'vitest';
import type { Tables } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { systemClock } from '../../work/clock.ts';
import { createDeliveries, type DeliveriesPorts } from './deliveries.ts';

it('stops in order while the database is away, and says what could not be done', async () => {
  const connect = async () => {
    throw new SluiceError('database_unavailable');
  };
  const pool = { connect, end: async () => {}, options: {} };
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const said: string[] = [];
  const log = { warn: (_: object, what: string) => void said.push(what), info: () => {} };
  const pace = { leaseSeconds: 12, leaseMs: 10, newsMs: 10 };
  const ports = { db, clock: systemClock, log, owner: 'this one', alone: false, pace };
  const deliveries = createDeliveries(ports as unknown as DeliveriesPorts);
  await deliveries.start();
  await deliveries.stop(1_000);
  expect(said.pop()).toBe('leases of apps could not be given back');
  expect(said.toSorted()).toEqual([
    'historical exports of apps that are off could not be ended',
    'leases of apps could not be looked after',
    'what historical exports left could not be removed',
  ]);
});
