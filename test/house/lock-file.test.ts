import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** What `npm ci` installs is what was looked at when the lock file was made, on each platform. */
interface Entry {
  readonly dev?: boolean;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
const packages = Object.entries(lock.packages as Record<string, Entry>).filter(([place]) => place !== '');
const placesOf = (chosen: (entry: Entry) => boolean) =>
  packages.filter(([, entry]) => chosen(entry)).map(([place]) => place);

it('has a checksum of each package that runs in production, but for those of which none could be had', () => {
  expect(placesOf(({ dev, integrity }) => !dev && !integrity?.startsWith('sha512-'))).toEqual([
    'node_modules/@chdb/lib-darwin-arm64',
    'node_modules/@chdb/lib-darwin-x64',
    'node_modules/@chdb/lib-linux-arm64-gnu',
  ]);
});

it('holds no address to download from', () => {
  expect(placesOf(({ resolved }) => resolved !== undefined)).toEqual([]);
});

it('needs nothing that only some platforms have', () => {
  expect(placesOf(({ os, cpu, optional }) => (os ?? cpu) !== undefined && !optional)).toEqual([]);
});
