import { type Fields, invalidConfig, isGiven, type KindPorts, readText } from './kind.ts';

const HOST = /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.?$|^[\da-f:.]+$/i;

/** A bare host, without scheme, port or path, that may be reached from here. */
export async function readHost(config: Fields, name: string, ports: KindPorts): Promise<string> {
  const host = readText(config, name);
  if (!HOST.test(host)) throw invalidConfig(`${name} must be a host name without scheme, port or path.`);
  const problem = await ports.problemWithHost(host);
  if (problem !== null) throw invalidConfig(`${name}: ${problem}`);
  return host;
}

/** 0 to 65535, as a number or its digits. */
export function readPort(config: Fields, fallback: number): number {
  if (!isGiven(config, 'port')) return fallback;
  const value =
    typeof config.port === 'string' && /^\d{1,5}$/.test(config.port) ? Number(config.port) : config.port;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw invalidConfig('port must be a whole number from 0 to 65535.');
}

/** One of a few words; the first is the default. */
export function readWord<Word extends string>(
  config: Fields,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  if (!isGiven(config, name)) return words[0];
  const found = words.find((word) => word === config[name]);
  if (found) return found;
  throw invalidConfig(`${name} must be one of ${words.join(', ')}.`);
}

export interface Tls {
  readonly ssl_mode: 'require' | 'verify-ca' | 'verify-full';
  readonly ssl_root_cert: string | null;
}

/** How a Postgres-like server is spoken to: always encrypted; `verify-*` needs the authority to trust. */
export function readTls(config: Fields): Tls {
  const mode = readWord(config, 'ssl_mode', ['require', 'verify-ca', 'verify-full']);
  const certificate = isGiven(config, 'ssl_root_cert') ? readText(config, 'ssl_root_cert', 64_000) : null;
  if (certificate !== null && !certificate.includes('-----BEGIN CERTIFICATE-----')) {
    throw invalidConfig('ssl_root_cert must be a certificate in PEM form.');
  }
  if (mode !== 'require' && certificate === null)
    throw invalidConfig(`ssl_mode ${mode} needs ssl_root_cert.`);
  return { ssl_mode: mode, ssl_root_cert: certificate };
}
