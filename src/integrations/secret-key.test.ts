import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSecretKeys } from './secret-key.ts';

describe('the secret key', () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'sluice-secret-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  const load = (configured?: string) => loadSecretKeys({ configured, dataDir, random: randomBytes });

  it('is made once, readable by its owner only, and leaves nothing else behind', () => {
    const first = load();
    expect(load()).toEqual(first);
    expect(readdirSync(dataDir)).toEqual(['secret.key']);
    expect(statSync(join(dataDir, 'secret.key')).mode & 0o777).toBe(0o600);
  });

  it('closes a file that was open to others', () => {
    load();
    chmodSync(join(dataDir, 'secret.key'), 0o644);
    load();
    expect(statSync(join(dataDir, 'secret.key')).mode & 0o777).toBe(0o600);
  });

  it('comes from the environment when it is there, the newest first', () => {
    const [a, b] = ['a'.repeat(32), 'b'.repeat(40)];
    expect(load(`${a}, ${b}`)).toEqual([a, b]);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('takes a comma inside one secret for what it is', () => {
    expect(load(`${'a'.repeat(32)},short`)).toEqual([`${'a'.repeat(32)},short`]);
  });

  it.each(['', 'short', 'short,short'])('refuses %j without repeating it', (configured) => {
    expect(() => load(configured)).toThrow(expect.objectContaining({ code: 'bad_configuration' }));
    expect(() => load('short')).not.toThrow(/"short"/);
  });

  it('refuses an emptied file rather than making a new one: what is sealed would be lost', () => {
    writeFileSync(join(dataDir, 'secret.key'), '');
    expect(() => load()).toThrow(expect.objectContaining({ code: 'bad_configuration' }));
  });
});
