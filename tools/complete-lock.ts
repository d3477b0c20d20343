import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Adds to package-lock.json the platform packages that npm left out.
 *
 * npm drops an optional package from the lock file when it cannot fetch it (a registry proxy that has only
 * some platforms, say), and then `npm ci` refuses the lock file as incomplete, on every machine. An entry
 * with version and platform is all `npm ci` needs to skip it elsewhere and to install it where it belongs.
 * Run by `npm run lock` after each change of dependencies.
 */
interface Entry {
  readonly version?: string;
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

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> };
const missing = Object.entries(lock.packages).flatMap(([place, entry]) =>
  Object.entries(entry.optionalDependencies ?? {}).flatMap(([name, version]) => {
    const known = lock.packages[`node_modules/${name}`] ?? lock.packages[`${place}/node_modules/${name}`];
    return known ? [] : [[`node_modules/${name}`, platformEntry(name, version, entry)] as const];
  }),
);
const all = [...Object.entries(lock.packages), ...missing].toSorted(([a], [b]) => (a < b ? -1 : 1));
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
