import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { AppEvent, Batch, DeliveryContext } from './app.ts';
import { s3Archive } from './s3-archive.ts';

const batch: Batch = { id: 'a', events: [{ uuid: 'u' } as AppEvent], endsAt: 0, historical: false };

/** Takes connections and says nothing. */
const store = createServer();
let connections: Socket[] = [];
store.on('connection', (socket) => {
  connections.push(socket.on('error', () => {}));
  socket.once('data', () => store.emit('asked', socket));
});
beforeEach(async () => {
  await once(store.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  vi.useRealTimers();
  for (const socket of connections) socket.destroy();
  connections = [];
  await once(store.close(), 'close');
});

function delivered(signal: AbortSignal): Promise<unknown> {
  const config = {
    bucket_name: 'lake',
    region: 'us-east-1',
    endpoint_url: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
    aws_access_key_id: 'id',
    aws_secret_access_key: 'secret',
  };
  const ports = {
    clock: { now: () => 0, sleep: async () => {} },
    random: () => 0.5,
    checkHost: async () => {},
    lookup: undefined,
  };
  const context = { config, ports, signal } as unknown as DeliveryContext;
  return s3Archive.deliver(batch, context).then(
    () => 'taken',
    (error) => error,
  );
}

it('a store that says nothing is asked twice, for half a minute each', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let asked = once(store, 'asked');
  const outcome = delivered(new AbortController().signal);
  for (let n = 0; n < 2; n++) {
    await asked;
    asked = once(store, 'asked');
    await vi.advanceTimersByTimeAsync(31_000);
  }
  expect(await outcome).toMatchObject({
    code: 'destination_unavailable',
    message: expect.stringContaining('failed 2 times'),
  });
});

it('what cuts off a delivery ends the request', async () => {
  const cut = new AbortController();
  const outcome = delivered(cut.signal);
  const [socket] = (await once(store, 'asked')) as [Socket];
  const hungUp = once(socket.resume(), 'close');
  cut.abort(new Error('another config'));
  expect(await outcome).toMatchObject({ message: 'another config' });
  await hungUp;
});
