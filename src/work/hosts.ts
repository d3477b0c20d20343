import { lookup as dnsLookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv6 } from 'node:net';

export interface Address {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name; rejects when it has none. */
export type Resolve = (host: string) => Promise<readonly Address[]>;

export const systemResolve: Resolve = (host) => dnsLookup(host, { all: true });

export interface HostProblem {
  /** For a person. */
  readonly text: string;
  /**
   * The name was not found: it may not exist, or those who know are away. Else the host is one that may not be reached.
   */
  readonly unresolved: boolean;
}

/** Which hosts outgoing connections may reach (contract.md §5, `SLUICE_ALLOWED_HOSTS`). */
export interface HostGuard {
  /**
   * Null when every address of the host may be reached, else what is wrong, for a person. Takes names and
   * addresses, `[::1]` too.
   */
  problemWith(host: string): Promise<string | null>;
  /** The same, and whether looking again may find something else. */
  lookAt(host: string): Promise<HostProblem | null>;
  /** Whether the list names the host, or every address of it; false for hosts that are merely public. */
  names(host: string): Promise<boolean>;
  /**
   * A `lookup` for sockets and agents that finds only addresses that may be reached. Checking the name
   * first is not enough: its owner can answer differently the second time.
   */
  readonly lookup: SocketLookup;
}

type LookupDone = (error: Error | null, address: string | Address[], family?: number) => void;
export type SocketLookup = (host: string, options: { all?: boolean }, done: LookupDone) => void;

/**
 * Ranges that are not the public internet: IANA's special-purpose registries, and the IPv6 ranges that
 * carry IPv4 addresses inside. IPv4-mapped addresses are checked as IPv4 by `BlockList` itself.
 */
const SPECIAL = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** `allowed`: host names, `*.suffix`, addresses, CIDR blocks or `*`. Entries that are none are names. */
export function createHostGuard(allowed: readonly string[], resolve: Resolve = systemResolve): HostGuard {
  const special = blocks(SPECIAL);
  const ranges = blocks(allowed.filter(isRange));
  const names = allowed.filter((entry) => !isRange(entry)).map(normalize);

  const nameAllowed = (host: string) =>
    names.some(
      (name) => name === '*' || (name.startsWith('*.') ? host.endsWith(name.slice(1)) : name === host),
    );
  const addressAllowed = ({ address }: Address) => {
    const plain = address.replace(/%.*$/, '');
    const family = isIPv6(plain) ? 'ipv6' : 'ipv4';
    return ranges.check(plain, family) || !special.check(plain, family);
  };
  const addressesOf = async (host: string): Promise<readonly Address[]> => {
    const family = isIP(host.replace(/%.*$/, ''));
    return family ? [{ address: host, family }] : resolve(host);
  };

  const lookAt = async (given: string): Promise<HostProblem | null> => {
    const host = normalize(given);
    if (host === '') return { text: 'The host is missing.', unresolved: false };
    if (nameAllowed(host)) return null;
    let addresses: readonly Address[];
    try {
      addresses = await addressesOf(host);
    } catch {
      return { text: `The host ${host} cannot be resolved.`, unresolved: true };
    }
    if (addresses.length > 0 && addresses.every(addressAllowed)) return null;
    const text = `The host ${host} is not a public one; SLUICE_ALLOWED_HOSTS can allow it.`;
    return { text, unresolved: false };
  };
  const problemWith = async (host: string) => (await lookAt(host))?.text ?? null;

  const named = async (given: string): Promise<boolean> => {
    const host = normalize(given);
    if (nameAllowed(host)) return true;
    const addresses = await addressesOf(host).catch(() => []);
    const isListed = ({ address }: Address) => ranges.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    return addresses.length > 0 && addresses.every(isListed);
  };

  const lookup: SocketLookup = (given, options, done) => {
    const host = normalize(given);
    const free = nameAllowed(host);
    addressesOf(host)
      .then((found) => found.filter((address) => free || addressAllowed(address)))
      .then((reachable) => {
        const [first] = reachable;
        if (!first) done(refusal(host), '');
        else if (options.all) done(null, [...reachable]);
        else done(null, first.address, first.family);
      })
      .catch((error: Error) => done(error, ''));
  };

  return { problemWith, lookAt, names: named, lookup };
}

/** Looks like a failure to connect, so that clients treat it as one; the code tells it apart. */
const refusal = (host: string): Error =>
  Object.assign(new Error(`The host ${host} may not be reached.`), { code: 'EHOSTFORBIDDEN' });

/** Lower case, without the brackets of IPv6 URLs and the dot of absolute names. */
const normalize = (host: string): string =>
  host
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');

const RANGE = /^([0-9a-f:.]+)\/(\d{1,3})$/i;

/** Whether an entry is an address or a CIDR block. */
export function isRange(entry: string): boolean {
  if (isIP(entry)) return true;
  const match = RANGE.exec(entry);
  if (!match) return false;
  const family = isIP(match[1] ?? '');
  return family !== 0 && Number(match[2]) <= (family === 6 ? 128 : 32);
}

function blocks(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
  }
  return list;
}
