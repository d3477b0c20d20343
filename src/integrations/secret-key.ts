import { chmodSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../errors/error.ts';
import { inDataDirectory } from '../work/data-directory.ts';
import { makeDirectory } from '../work/make-directory.ts';

const SHORTEST = 16;
const MADE_BYTES = 32;

/** One at least, the newest first: it seals. */
export type SecretKeys = readonly [string, ...string[]];

interface Source {
  /** `SLUICE_SECRET_KEY`: one secret, or several separated by commas, the newest first. */
  readonly configured: string | undefined;
  readonly dataDir: string;
  readonly random: (count: number) => Buffer;
}

/**
 * The secrets of sealing.ts: from the environment, else from `secret.key` in the data directory, made
 * at the first start and readable by its owner only. Throws `bad_configuration` without repeating them, and
 * `data_dir_unwritable`.
 */
export function loadSecretKeys(source: Source): SecretKeys {
  if (source.configured !== undefined) return parse(source.configured, 'SLUICE_SECRET_KEY');
  const file = join(source.dataDir, 'secret.key');
  inDataDirectory(source.dataDir, () => {
    makeDirectory(source.dataDir);
    create(file, source.random);
    chmodSync(file, 0o600);
  });
  return parse(readFileSync(file, 'utf8'), file);
}

/** Written aside and linked into place: whole or not there, and the first of two processes wins. */
function create(file: string, random: Source['random']): void {
  const draft = `${file}.${process.pid}-${random(4).toString('hex')}`;
  try {
    writeFileSync(draft, `${random(MADE_BYTES).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function parse(text: string, where: string): SecretKeys {
  const whole = text.trim();
  const list = whole.split(',').map((secret) => secret.trim());
  // A comma inside one secret is no list: then a part is too short to be a secret of its own.
  const secrets = list.every(isLongEnough) ? list : [whole];
  const [first, ...older] = secrets.filter(isLongEnough);
  if (first !== undefined) return [first, ...older];
  throw new SluiceError('bad_configuration', { detail: `${where} must have at least ${SHORTEST} bytes.` });
}

const isLongEnough = (secret: string): boolean => Buffer.byteLength(secret) >= SHORTEST;
