import { isIPv6 } from 'node:net';

/**
 * Whom to count an address as: itself, or of IPv6 its first 64 bits, because the rest is whatever a single client
 * likes. Text that is no address is returned as it is.
 */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%', 1);
  const [, v4] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain) ?? [];
  if (v4 !== undefined) return v4;
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
