import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';

export interface Chromium {
  readonly browser: Browser;
  close(): Promise<void>;
}

const DEBIAN = '/usr/bin/chromium';
/** No sandbox, so that it runs as root too; nothing that calls home. */
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

/**
 * A real Chromium without a window: the machine's own where Debian's package is installed, else the one
 * of the npm package, which brings the libraries that a bare Debian lacks (NSS, NSPR, Expat).
 */
export async function startChromium(): Promise<Chromium> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-chromium-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const own = existsSync(DEBIAN);
    if (!own) await unpack(folder);
    const browser = await chromium.launch({
      executablePath: own ? DEBIAN : join(folder, 'chromium'),
      args: ARGUMENTS,
      env: environment(folder, own),
    });
    return {
      browser,
      close: async () => {
        await browser.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

const FILES = ['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br'];

/**
 * 67 MB of Brotli to 210 MB, in 2 s. The package unpacks into the system's temporary folder, under
 * names that two users or two runs would share; a process of its own has a temporary folder of its own.
 */
async function unpack(folder: string): Promise<void> {
  const library = import.meta.resolve('@sparticuz/chromium');
  const files = FILES.map((file) => fileURLToPath(new URL(`../bin/${file}`, library)));
  const script = `
    import { inflate } from ${JSON.stringify(library)};
    await Promise.all(${JSON.stringify(files)}.map((file) => inflate(file)));`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, TMPDIR: folder },
  });
}

function environment(folder: string, own: boolean): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    ...Object.fromEntries(inherited),
    HOME: folder,
    ...(own
      ? {}
      : { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'), FONTCONFIG_PATH: join(folder, 'fonts') }),
  };
}
