import { describe, expect, it } from 'vitest';
import { type Address, createHostGuard } from './hosts.ts';

const NAMES: Record<string, string[]> = {
  'public.example': ['93.184.216.34', '2606:2800:220:1::1'],
  'internal.example': ['10.1.2.3'],
  'half.example': ['93.184.216.34', '10.1.2.3'],
  'deep.inside.corp': ['10.9.9.9'],
  localhost: ['127.0.0.1', '::1'],
  'metadata.google.internal': ['169.254.169.254'],
  'empty.example': [],
};

const resolve = async (host: string): Promise<Address[]> => {
  const found = NAMES[host];
  if (!found) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
  return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

const reachable = async (host: string, allowed: string[] = []) =>
  (await createHostGuard(allowed, resolve).problemWith(host)) === null;

describe('contract.md §5: hosts that may be reached', () => {
  it.each([
    'public.example',
    'PUBLIC.example.',
    '93.184.216.34',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '[2606:2800:220:1::1]',
    '::ffff:8.8.8.8',
  ])('%s is public', async (host) => {
    expect(await reachable(host)).toBe(true);
  });

  it.each([
    '',
    'unknown.example',
    'empty.example',
    'internal.example',
    'half.example',
    'localhost',
    'metadata.google.internal',
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '[::1]',
    '::7f00:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
  ])('%s is not', async (host) => {
    expect(await reachable(host)).toBe(false);
  });

  it.each([
    ['internal.example', ['internal.example'], true],
    ['Internal.Example.', ['internal.example'], true],
    ['internal.example', ['other.example'], false],
    ['internal.example', ['*.example'], true],
    ['deep.inside.corp', ['*.corp'], true],
    ['corp', ['*.corp'], false],
    ['internal.example', ['10.1.2.3'], true],
    ['internal.example', ['10.0.0.0/8'], true],
    ['internal.example', ['10.2.0.0/16'], false],
    ['half.example', ['10.0.0.0/8'], true],
    ['localhost', ['127.0.0.1'], false],
    ['localhost', ['127.0.0.0/8', '::1'], true],
    ['127.0.0.1', ['127.0.0.1'], true],
    ['::ffff:127.0.0.1', ['127.0.0.1'], true],
    ['fd12:3456::1', ['fd00::/8'], true],
    ['169.254.169.254', ['*'], true],
    ['10.1.2.3', ['10.0.0.0/99', 'nonsense/8'], false],
  ])('%s with %j allowed: %s', async (host, allowed, expected) => {
    expect(await reachable(host, allowed)).toBe(expected);
  });

  it('finds only what may be reached when a socket connects', async () => {
    const guard = createHostGuard([], resolve);
    const find = (host: string) =>
      new Promise((done) => {
        guard.lookup(host, { all: true }, (error, found) =>
          done(error ? ((error as NodeJS.ErrnoException).code ?? error.message) : found),
        );
      });
    expect(await find('half.example')).toEqual([{ address: '93.184.216.34', family: 4 }]);
    expect(await find('internal.example')).toBe('EHOSTFORBIDDEN');
    expect(await find('unknown.example')).toBe('ENOTFOUND');
  });

  it('says what to do', async () => {
    expect(await createHostGuard([], resolve).problemWith('localhost')).toContain('SLUICE_ALLOWED_HOSTS');
  });
});
