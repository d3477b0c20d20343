import { startPostgres } from '../kit/postgres.ts';
import { startProxy, type TcpProxy } from '../kit/proxy/proxy.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import { type BucketPlace, openBucketPlace } from './destinations.ts';

/** A server whose every connection goes through a proxy. */
export interface NetworkStack {
  readonly sluice: RunningSluice;
  readonly warehouse: TestWarehouse;
  readonly bucket: BucketPlace;
  readonly proxies: Readonly<Record<Target, TcpProxy>>;
  stop(): Promise<void>;
}

export type Target = 'ClickHouse' | 'Postgres' | 'S3';

/** Seconds of silence that every layer puts up with. */
export const PATIENCE = 2;

export async function startNetworkStack(random: () => number): Promise<NetworkStack> {
  await using stack = new AsyncDisposableStack();
  const [postgres, warehouse] = await Promise.all([startPostgres(), startTestWarehouse()]);
  stack.defer(() => postgres.stop());
  stack.defer(() => warehouse.close());
  const before = async (url: string): Promise<TcpProxy> => {
    const { hostname, port } = new URL(url);
    const proxy = await startProxy({ host: hostname, port: Number(port) }, random);
    stack.defer(() => proxy.stop());
    return proxy;
  };
  const database = await postgres.createDatabase();
  const [clickhouse, pg] = await Promise.all([before(warehouse.url), before(database)]);
  const sluice = await startSluice({
    env: environment(pg.through(database), clickhouse.through(warehouse.url)),
  });
  stack.defer(async () => void (await sluice.stop()));
  let s3: TcpProxy | undefined;
  const bucket = await openBucketPlace(sluice, async ({ url }) => {
    s3 = await before(url);
    return s3.through(url);
  });
  stack.defer(() => bucket.close());
  if (!s3) throw new Error('the bucket was opened without its proxy');
  const proxies = { ClickHouse: clickhouse, Postgres: pg, S3: s3 };
  // What is broken must not keep the server from stopping.
  stack.defer(async () => Object.values(proxies).forEach((proxy) => void proxy.clear()));
  const owned = stack.move();
  return { sluice, warehouse, bucket, proxies, stop: () => owned.disposeAsync() };
}

const environment = (database: string, clickhouse: string): Record<string, string> => ({
  DATABASE_URL: database,
  CLICKHOUSE_URL: clickhouse,
  SLUICE_SETTLE_SECONDS: '0',
  SLUICE_CONCURRENCY: '4',
  SLUICE_WAREHOUSE_TIMEOUT_SECONDS: String(PATIENCE),
  SLUICE_DATABASE_TIMEOUT_SECONDS: String(PATIENCE),
  SLUICE_DESTINATION_TIMEOUT_SECONDS: String(PATIENCE + 1),
  SLUICE_RETRY_SECONDS: '1',
});
