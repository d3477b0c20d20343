import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { DestinationPorts, Slot } from './destination.ts';
import { errnoOf, onDisk } from './filesystem/disk-error.ts';
import { folderOf } from './filesystem/folder.ts';
import { keyProblem } from './filesystem/place.ts';
import { filesystem } from './filesystem.ts';

const roots: string[] = [];
let outside: string;
let root: string;

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'sluice-fs-'));
  roots.push(outside);
  root = join(outside, 'root');
  await mkdir(root);
});
afterAll(() => Promise.all(roots.map((path) => rm(path, { recursive: true, force: true }))));

const ports = (filesRoot = root): DestinationPorts => ({
  clock: { now: () => Date.now(), sleep: async () => {} },
  random: () => 0.5,
  filesRoot,
  checkHost: async () => {},
  onRetry: () => {},
});
const open = (filesRoot = root, folder?: string | null) =>
  filesystem.open?.(
    { type: 'Filesystem', config: {}, integration: {}, ...(folder === undefined ? {} : { folder }) },
    ports(filesRoot),
  ) ?? Promise.reject(new Error('not written'));
const slot = (key: string): Slot => ({ runId: 'r1', attempt: 1, key, contentType: 'text/plain' });
const signal = new AbortController().signal;
const body = () => Readable.from([Buffer.from('hello')]);

describe('keys stay below the root', () => {
  it.each(['../x', 'a/../../x', 'a/./x', '..', '', '/', 'a/..', 'a\0b', `${'n'.repeat(256)}/x`])(
    'refuses %j',
    async (key) => {
      const target = await open();
      const refused = { name: 'SluiceError', code: 'destination_config' };
      await expect(target.stagingPath(slot(key))).rejects.toMatchObject(refused);
      await expect(target.stage(slot(key), body(), signal)).rejects.toMatchObject(refused);
      await expect(target.put(key, Buffer.from(''), 'text/plain')).rejects.toMatchObject(refused);
      await expect(target.remove(key)).rejects.toMatchObject(refused);
      expect(await readdir(outside)).toEqual(['root']);
    },
  );

  it('reads an absolute key as one below the root', async () => {
    const target = await open();
    await target.put('/etc//x:+.json', Buffer.from('1'), 'text/plain');
    expect(await readFile(join(root, 'etc/x:+.json'), 'utf8')).toBe('1');
  });

  it('for every key at all: refused, or below the root', async () => {
    const part = fc.oneof(
      fc.constantFrom('..', '.', '', 'a', '...', '~', '%2e%2e'),
      fc.string({ maxLength: 6 }),
    );
    const target = await open();
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), async (parts) => {
        const key = parts.join('/');
        const path = await target.stagingPath(slot(key)).catch(() => null);
        expect(path === null || path.startsWith(`${root}/`)).toBe(true);
        expect(path === null).toBe(keyProblem(key) !== null);
        expect(await readdir(outside)).toEqual(['root']);
      }),
      { numRuns: 200, seed: 42 },
    );
  });

  it('follows links inside the root and none out of it', async () => {
    await mkdir(join(root, 'real'));
    await mkdir(join(outside, 'secret'));
    await symlink('real', join(root, 'alias'));
    await symlink(join(outside, 'secret'), join(root, 'out'));
    await symlink(join(outside, 'nowhere'), join(root, 'dangling'));
    const target = await open();
    await target.put('alias/x', Buffer.from('1'), 'text/plain');
    expect(await readFile(join(root, 'real/x'), 'utf8')).toBe('1');
    await expect(target.put('out/x', Buffer.from('1'), 'text/plain')).rejects.toMatchObject({
      code: 'destination_config',
    });
    await expect(target.put('dangling/x', Buffer.from('1'), 'text/plain')).rejects.toMatchObject({
      name: 'SluiceError',
      kind: 'user',
    });
    expect(await readdir(join(outside, 'secret'))).toEqual([]);
  });

  it('replaces a link at the final place instead of writing through it, and never reads through one', async () => {
    await writeFile(join(outside, 'victim'), 'untouched');
    await symlink(join(outside, 'victim'), join(root, 'x'));
    const target = await open();
    await expect(target.open({ key: 'x', bytes: 9, tag: null })).rejects.toMatchObject({
      code: 'destination_config',
    });
    await target.publish(await target.stage(slot('x'), body(), signal), signal);
    expect(await readFile(join(outside, 'victim'), 'utf8')).toBe('untouched');
    expect(await readFile(join(root, 'x'), 'utf8')).toBe('hello');
  });

  it('takes no link in the place of the staged file', async () => {
    await writeFile(join(outside, 'victim'), 'untouched');
    const target = await open();
    const path = await target.stagingPath(slot('x'));
    await symlink(join(outside, 'victim'), String(path));
    await expect(
      target.stage(slot('x'), { path: String(path), written: Promise.resolve() }, signal),
    ).rejects.toMatchObject({
      code: 'destination_config',
    });
  });

  it('says of a staged file that is gone that it was removed, not that the disk is away', async () => {
    const target = await open();
    const staged = await target.stage(slot('x'), body(), signal);
    await target.discard(staged);
    await expect(target.publish(staged, signal)).rejects.toMatchObject({ code: 'destination_changed' });
  });

  it('takes no forged receipt', async () => {
    const target = await open();
    const forged = { key: 'x', bytes: 1, token: { name: '../victim', mtime: '1' } };
    await expect(target.isStaged(forged)).rejects.toThrow('Not a receipt');
    await expect(target.discard(forged)).rejects.toThrow('Not a receipt');
  });
});

describe('organizations', () => {
  const ID = folderOf('0199d2f0-1111-7000-8000-00000000000a');

  it('of which each has a folder leave the files of others alone', async () => {
    const [first, second] = [await open(root, null), await open(root, ID)];
    for (const [target, text] of [
      [first, 'of the first'],
      [second, 'of the second'],
    ] as const) {
      await target.put('events/x', Buffer.from(text), 'text/plain');
    }
    expect(await readFile(join(root, 'events/x'), 'utf8')).toBe('of the first');
    expect(await readFile(join(root, ID, 'events/x'), 'utf8')).toBe('of the second');
    await second.remove('events/x');
    await writeFile(join(root, '.x.r1.1.partial'), '');
    await second.sweep('r1', 2, ['x'], []);
    expect(await readdir(root)).toEqual(['.x.r1.1.partial', 'events', ID]);
    expect(await readFile(join(root, 'events/x'), 'utf8')).toBe('of the first');
    await expect(second.put('../x', Buffer.from(''), 'text/plain')).rejects.toMatchObject({
      code: 'destination_config',
    });
    await rm(join(root, ID), { recursive: true });
    await second.put('again', Buffer.from('1'), 'text/plain');
    expect(await readdir(join(root, ID)), 'made again').toEqual(['again']);
  });

  it.each([ID, `${ID}/x`, `//${ID.toUpperCase()}/x`])('the first one may not write %s', async (key) => {
    const target = await open(root, null);
    const refused = { code: 'destination_config', message: expect.stringContaining('organization-<id>') };
    await expect(target.stagingPath(slot(key))).rejects.toMatchObject(refused);
    await expect(target.stage(slot(key), body(), signal)).rejects.toMatchObject(refused);
    await expect(target.put(key, Buffer.from(''), 'text/plain')).rejects.toMatchObject(refused);
    await expect(target.remove(key)).rejects.toMatchObject(refused);
    expect(await readdir(root)).toEqual([]);
    await target.put(`x/${ID}/x`, Buffer.from(''), 'text/plain');
  });
});

describe('what goes wrong on a disk', () => {
  it('names a missing root', async () => {
    await expect(open(join(root, 'missing'))).rejects.toMatchObject({
      code: 'destination_missing',
      message: expect.stringContaining('SLUICE_FILES_ROOT'),
    });
  });

  it('names a file where a directory should be, and the reverse', async () => {
    await writeFile(join(root, 'file'), '');
    await mkdir(join(root, 'dir/y'), { recursive: true });
    const target = await open();
    await expect(target.put('file/x', Buffer.from(''), 'text/plain')).rejects.toMatchObject({
      code: 'destination_config',
    });
    await expect(target.put('dir', Buffer.from(''), 'text/plain')).rejects.toMatchObject({
      code: 'destination_config',
    });
    expect((await readdir(root)).sort(), 'no leftover').toEqual(['dir', 'file']);
  });

  it.each([
    ['ENOSPC', 'destination_full'],
    ['EDQUOT', 'destination_full'],
    ['EROFS', 'destination_denied'],
    ['EACCES', 'destination_denied'],
    ['EPERM', 'destination_denied'],
    ['ENOENT', 'destination_unavailable'],
    ['EIO', 'destination_unavailable'],
    ['EMFILE', 'destination_unavailable'],
  ])('reads %s as %s', async (code, meaning) => {
    const failure = Object.assign(new Error('x'), { code, syscall: 'write', errno: -1 });
    await expect(onDisk('a/b', () => Promise.reject(failure))).rejects.toMatchObject({ code: meaning });
  });

  it('leaves errors that come from no system call alone', async () => {
    const bug = new TypeError('ours');
    await expect(onDisk('a/b', () => Promise.reject(bug))).rejects.toBe(bug);
    expect(errnoOf(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBeUndefined();
  });
});

describe('leftovers', () => {
  it('removes a put that died an hour ago, not one under way', async () => {
    await writeFile(join(root, '.m.json.dead.put.partial'), '');
    await utimes(join(root, '.m.json.dead.put.partial'), 1, 1);
    await writeFile(join(root, '.m.json.alive.put.partial'), '');
    const target = await open();
    await target.sweep('r1', 2, ['x', 'missing/y'], []);
    expect(await readdir(root)).toEqual(['.m.json.alive.put.partial']);
  });

  it('removes any put of the run’s own names once all its attempts are over', async () => {
    await writeFile(join(root, '.m.json.abc123.put.partial'), '');
    await writeFile(join(root, '.other.json.abc123.put.partial'), '');
    const target = await open();
    await target.sweep('r1', 2, ['m.json'], []);
    expect(await readdir(root)).toHaveLength(2);
    await target.sweep('r1', Number.POSITIVE_INFINITY, ['m.json'], []);
    expect(await readdir(root)).toEqual(['.other.json.abc123.put.partial']);
  });
});

describe('config', () => {
  it.each([
    [{}, null],
    [{ prefix: 'a/{year}/', file_format: 'Parquet', compression: 'zstd', max_file_size_mb: 100 }, null],
    [{ file_format: null, compression: null, max_file_size_mb: null }, null],
    [{ compression: '' }, null],
    [{ file_format: 'CSV' }, 'File format "CSV"'],
    [{ file_format: 'toString' }, 'File format "toString"'],
    [{ compression: 'lz4' }, 'Compression "lz4" is not available for JSONLines'],
    [{ file_format: 'Parquet', compression: 'xz' }, 'Compression "xz"'],
    [{ max_file_size_mb: -1 }, 'max_file_size_mb'],
    [{ max_file_size_mb: '7' }, 'max_file_size_mb'],
    [{ prefix: '../x' }, 'prefix'],
  ] as const)('%j', (config, problem) => {
    const answer = filesystem.check(config);
    if (problem === null) expect(answer).toBeNull();
    else expect(answer).toContain(problem);
  });

  it('applies the defaults', () => {
    expect(filesystem.files({})).toEqual({
      format: 'JSONLines',
      compression: null,
      prefix: '',
      maxFileSizeMb: null,
      legacyParquetExtension: false,
    });
  });
});
