import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { areSeparate, refuseSeparateServers } from './separate-servers.ts';

const on = (engine: string | null, database = 'Atomic') =>
  ['a', 'b'].map((host) => ({ host, engine, database }));

it.each([
  ['plain tables', on('ReplacingMergeTree'), true],
  ['no tables yet', on(null), true],
  [
    'tables on one of them',
    [...on('ReplicatedReplacingMergeTree'), { host: 'c', engine: null, database: 'Atomic' }],
    true,
  ],
  ['no tables yet in a database that replicates', on(null, 'Replicated'), false],
  ['no tables yet in a cloud', on(null, 'Shared'), false],
  ['a replicated database with plain tables', on('ReplacingMergeTree', 'Replicated'), true],
  ['replicated tables', on('ReplicatedReplacingMergeTree'), false],
  ['tables in a cloud', on('SharedReplacingMergeTree'), false],
  ['distributed tables', on('Distributed'), false],
  ['a view', on('View'), false],
  ['one server', on('ReplacingMergeTree').map((each) => ({ ...each, host: 'a' })), false],
])('several servers with %s', (_, seen, separate) => {
  expect(areSeparate(seen)).toBe(separate);
});

/** A balancer that gives every connection to the next server. */
async function balancing(
  hosts: readonly string[],
  engine: string | null,
  use: (url: string) => Promise<void>,
) {
  let connections = 0;
  const server = createServer((request, response) => {
    const host = (request.socket as { host?: string }).host;
    request
      .resume()
      .on('end', () => response.end(`${JSON.stringify({ host, engine, database: 'Atomic' })}\n`));
  });
  server.on('connection', (socket) => Object.assign(socket, { host: hosts[connections++ % hosts.length] }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  server.closeAllConnections();
  server.close();
}

it('servers behind one address are told apart by connections of their own', async () => {
  await balancing(['a', 'b'], 'ReplacingMergeTree', async (url) => {
    const refused = refuseSeparateServers({ url, localFiles: false });
    await expect(refused).rejects.toMatchObject({ code: 'bad_configuration', kind: 'user' });
  });
  await balancing(['a'], 'ReplacingMergeTree', (url) => refuseSeparateServers({ url, localFiles: false }));
  await balancing(['a', 'b'], 'Distributed', (url) => refuseSeparateServers({ url, localFiles: false }));
});
