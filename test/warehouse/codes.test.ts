import { afterAll, beforeAll, expect, test } from 'vitest';
import { exceptionError } from '../../src/warehouse/exception.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

let running: TestWarehouse;
/** By the engine's own name of it. */
let codes: ReadonlyMap<string, number>;
beforeAll(async () => {
  running = await startTestWarehouse();
  const rows = await running.warehouse.rows<{ code: string; name: string }>({
    sql: 'SELECT number AS code, errorCodeToName(number) AS name FROM numbers(1, 1200)',
  });
  codes = new Map(rows.map(({ code, name }) => [name, Number(code)]));
});
afterAll(() => running?.close());

test.each([
  'CANNOT_READ_FROM_SOCKET',
  'CANNOT_WRITE_TO_SOCKET',
  'DNS_ERROR',
  'SOCKET_TIMEOUT',
  'NETWORK_ERROR',
  'NO_ZOOKEEPER',
  'TABLE_IS_READ_ONLY',
  'NO_ACTIVE_REPLICAS',
  'NO_AVAILABLE_REPLICA',
  'ALL_CONNECTION_TRIES_FAILED',
  'TOO_FEW_LIVE_REPLICAS',
  'UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE',
  'UNKNOWN_STATUS_OF_INSERT',
  'ALL_REPLICAS_ARE_STALE',
  'S3_ERROR',
  'TABLE_IS_BEING_RESTARTED',
  'KEEPER_EXCEPTION',
  'POCO_EXCEPTION',
])('%s passes by itself', (name) => {
  const error = exceptionError(codes.get(name) ?? 0, 'x');
  expect([error.code, error.kind]).toEqual(['warehouse_unavailable', 'retry']);
});

test.each(['SETTING_CONSTRAINT_VIOLATION', 'READONLY', 'ACCESS_DENIED'])(
  '%s is for a person to mend',
  (name) => {
    const error = exceptionError(codes.get(name) ?? 0, 'x');
    expect([error.code, error.kind]).toEqual(['warehouse_denied', 'user']);
  },
);
