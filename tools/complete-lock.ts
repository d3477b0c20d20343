import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Adds to package-lock.json the platform packages that npm left out, and the checksums that it does not know of them.
 *
 * npm drops an optional package from the lock file when it cannot fetch it (a registry proxy that has only
 * some platforms, say), and then `npm ci` refuses the lock file as incomplete, on every machine. An entry
 * with version and platform is all `npm ci` needs to skip it elsewhere and to install it where it belongs; with a checksum it
 * installs nothing else there. Fails when the registry has none for a package that runs in production, but for those of
 * `UNKNOWN`. Run by `npm run lock` after each change of dependencies.
 */
interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const PLATFORM =
  /(android|darwin|linux|win32|freebsd|openharmony|aix|sunos|netbsd|openbsd)-(arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64|mips64el)/;

/** Whose checksum could not be had. The README says so; `test/house/lock-file.test.ts` holds the same list. */
const UNKNOWN = ['@chdb/lib-darwin-arm64', '@chdb/lib-darwin-x64', '@chdb/lib-linux-arm64-gnu'];

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> };
const missing = Object.entries(lock.packages).flatMap(([place, entry]) =>
  Object.entries(entry.optionalDependencies ?? {}).flatMap(([name, version]) => {
    const known = lock.packages[`node_modules/${name}`] ?? lock.packages[`${place}/node_modules/${name}`];
    return known ? [] : [[`node_modules/${name}`, platformEntry(name, version, entry)] as const];
  }),
);
const all = [...Object.entries(lock.packages), ...missing]
  .map(([place, entry]) => [place, checked(place, entry)] as const)
  .toSorted(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(all) }, null, 2)}\n`);
console.log(`${missing.length} platform packages added to package-lock.json`);

function platformEntry(name: string, version: string, parent: Entry): Entry {
  const [, os, cpu] = PLATFORM.exec(name) ?? [];
  if (!os || !cpu) throw new Error(`${name} names no platform; add it to package-lock.json by hand`);
  const libc = os !== 'linux' ? null : name.includes('musl') ? 'musl' : name.includes('gnu') ? 'glibc' : null;
  return {
    version: version.replace(/^[\^~]/, ''),
    ...(parent.license ? { license: parent.license } : {}),
    ...(parent.dev ? { dev: true } : {}),
    optional: true,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
  };
}

/** With its checksum. Throws when it has none that it should have. */
function checked(place: string, entry: Entry): Entry {
  if (place === '' || entry.integrity !== undefined) return entry;
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const { version, ...rest } = entry;
  const integrity = checksumOf(`${name}@${version}`);
  if (integrity !== null) return { ...(version && { version }), integrity, ...rest };
  if (!entry.dev && !UNKNOWN.includes(name))
    throw new Error(`the registry has no checksum of ${name}@${version}`);
  console.log(`no checksum of ${name}@${version}`);
  return entry;
}

/** Null when the registry does not have the package. */
function checksumOf(spec: string): string | null {
  try {
    const args = ['view', spec, 'dist.integrity'];
    return execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim() || null;
  } catch (error) {
    if (String((error as { stderr?: unknown }).stderr).includes('E404')) return null;
    throw error;
  }
}
