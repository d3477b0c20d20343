import { networkInterfaces } from 'node:os';
import Type from 'typebox';
import { expect, it } from 'vitest';
import { createPublicServer } from '../../test/kit/public-server.ts';
import type { Endpoint } from './endpoint.ts';

const who: Endpoint = {
  method: 'GET',
  area: 'root',
  path: '/who',
  operationId: 'who',
  summary: 'Who asks',
  tag: 'test',
  scope: 'public',
  response: { 200: Type.Object({ ip: Type.String() }) },
  handler: async ({ ip }) => ({ status: 200, body: { ip } }),
};

async function addressBehind(trustProxy: number | string[] | undefined, forwarded: string): Promise<string> {
  const server = await createPublicServer({
    endpoints: [who],
    ...(trustProxy === undefined ? {} : { trustProxy }),
  });
  try {
    const url = await server.listen('127.0.0.1', 0);
    const answer = await fetch(`${url}/who`, { headers: { 'x-forwarded-for': forwarded } });
    return ((await answer.json()) as { ip: string }).ip;
  } finally {
    await server.close();
  }
}

it.each([
  ['nobody', undefined, '127.0.0.1'],
  ['no proxy', 0, '127.0.0.1'],
  ['one proxy', 1, '8.8.8.8'],
  ['two proxies', 2, '9.9.9.9'],
  ['a proxy at another address', ['10.0.0.0/8'], '127.0.0.1'],
  ['the proxy at this address', ['127.0.0.1'], '8.8.8.8'],
  ['both proxies', ['127.0.0.0/8', '8.8.8.8'], '9.9.9.9'],
])('believes %s who the client is', async (_, trusted, address) => {
  expect(await addressBehind(trusted, '1.1.1.1, 9.9.9.9, 8.8.8.8')).toBe(address);
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ family }) => family === 'IPv6'),
);

it.skipIf(!hasIpv6)('an IPv4 client has an IPv4 address on a server of both families', async () => {
  const server = await createPublicServer({ endpoints: [who] });
  try {
    const { port } = new URL(await server.listen('::', 0));
    const answer = await fetch(`http://127.0.0.1:${port}/who`);
    expect(await answer.json()).toEqual({ ip: '127.0.0.1' });
  } finally {
    await server.close();
  }
});
