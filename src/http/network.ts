import { isIPv6 } from 'node:net';

/** An IPv4 client's own address, also on a server that listens on IPv6 and hears of it as `::ffff:192.0.2.1`. */
export const plainAddress = (address: string): string =>
  /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;

/**
 * Whom to count an address as: itself, or of IPv6 its first 64 bits, because the rest is whatever a single client
 * likes. Text that is no address is returned as it is.
 */
export function networkOf(address: string): string {
  const [zoneless = ''] = address.split('%', 1);
  const plain = plainAddress(zoneless);
  if (plain !== zoneless) return plain;
  if (!isIPv6(plain)) return address;
  // The end may be written as IPv4, in place of two groups.
  const [front = [], back = []] = plain
    .replace(/[^:]*\.[^:]*$/, '0:0')
    .split('::')
    .map((half) => half.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  const groups = [...front, ...zeros, ...back].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
