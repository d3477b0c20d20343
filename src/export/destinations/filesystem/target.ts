import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SluiceError } from '../../../errors/error.ts';
import type { DestinationSetup } from '../../spec.ts';
import {
  type DestinationPorts,
  type EngineFile,
  type FileTarget,
  MOST_SMALL_BYTES,
  type Published,
  type RereadableFile,
  type Slot,
  type Staged,
} from '../destination.ts';
import { bringAlong } from './bring-along.ts';
import { onDisk } from './disk-error.ts';
import { type FolderPorts, placeIn } from './folder.ts';
import { refuseFullDisk } from './full-disk.ts';
import { puttingName, stagingName, sweepDirectory } from './leftovers.ts';
import { type Place, placeOf } from './place.ts';
import {
  type Identity,
  identityAt,
  openForReading,
  syncDirectory,
  syncFile,
  writeBuffer,
  writeStream,
} from './write.ts';

/** What a receipt remembers: the staged file's name in the key's directory, and how to know it again. */
interface Token {
  readonly name: string;
  readonly mtime: string;
}

/** Opens the directory tree below `filesRoot`, or the setup's folder in it. Throws `destination_missing` when it is not there. */
export async function openFilesystem(setup: DestinationSetup, given: DestinationPorts): Promise<FileTarget> {
  await placeOf(given.filesRoot, 'x', false);
  const ports = { ...given, ...(setup.folder === undefined ? {} : { folder: setup.folder }) };
  const begun = new Map<string, Slot>();
  const own = (slot: Slot) => void begun.set(slot.key, slot);
  return {
    place: setup.folder ? `files:${setup.folder}` : 'files',
    stagingPath: (slot) => {
      own(slot);
      return stagingPath(ports, slot);
    },
    stage: (slot, source, signal) => {
      own(slot);
      return stage(ports, slot, source, signal);
    },
    isStaged: async (staged) => (await whereIs(ports, staged)) !== null,
    publish: (staged) => publish(ports, staged),
    open: (published) => reread(ports, published),
    put: (key, body) => put(ports, key, body),
    get: (key) => get(ports, key),
    fileOf: (key) => fileOf(ports, key),
    holds: (key, receipts, listed) => holds(ports, key, receipts, listed),
    remove: (key) => remove(ports, key),
    discard: (staged) => discard(ports, staged),
    discardOwn: (keep) => discardOwn(ports, [...begun.values()], keep),
    sweep: (runId, attempt, keys, keep) => sweep(ports, runId, attempt, keys, keep),
    close: async () => {},
  };
}

async function stagingPath(ports: FolderPorts, slot: Slot): Promise<string> {
  const { directory, name } = await makePlace(ports, slot.key);
  const path = join(directory, stagingName(name, slot.runId, slot.attempt));
  await onDisk(slot.key, () => rm(path, { force: true }));
  return path;
}

async function stage(
  ports: FolderPorts,
  slot: Slot,
  source: Readable | EngineFile,
  signal: AbortSignal,
): Promise<Staged> {
  // The source may fail while nobody reads it yet, and an 'error' without a listener ends the process;
  // reading it reports the error all the same.
  if (!isFile(source)) source.on('error', () => {});
  try {
    const { directory, name } = await makePlace(ports, slot.key);
    const staging = stagingName(name, slot.runId, slot.attempt);
    const path = join(directory, staging);
    const identity = await fill(path, slot.key, source, signal);
    if (isFile(source)) await refuseFullDisk(directory, path, slot.key);
    const token: Token = { name: staging, mtime: identity.mtime };
    return { key: slot.key, bytes: identity.bytes, token: { ...token } };
  } catch (error) {
    if (!isFile(source)) source.destroy();
    throw error;
  }
}

async function fill(
  path: string,
  key: string,
  source: Readable | EngineFile,
  signal: AbortSignal,
): Promise<Identity> {
  if (!isFile(source)) {
    await onDisk(key, () => rm(path, { force: true }));
    return await writeStream(path, key, source, signal);
  }
  if (source.path !== path) throw new Error('A file is staged where stagingPath says, nowhere else.');
  await bringAlong(path, source.written);
  return await syncFile(path, key);
}

/**
 * Where the file of a receipt lies now. A crash after the rename and before the ledger's note leaves it
 * published already; modification time and size tell it from what the key held before.
 */
async function whereIs(ports: FolderPorts, staged: Staged): Promise<'staging' | 'published' | null> {
  const place = await placeIn(ports, staged.key, false);
  if (place === null) return null;
  const staging = join(place.directory, tokenOf(staged).name);
  if (isFileOf(staged, await identityAt(staging, staged.key))) return 'staging';
  if (isFileOf(staged, await identityAt(place.path, staged.key))) return 'published';
  return null;
}

const isFileOf = (staged: Staged, found: Identity | null): boolean =>
  found?.bytes === staged.bytes && found.mtime === tokenOf(staged).mtime;

/** Doubled slashes and symbolic links inside the root give one path several names. Throws nothing. */
async function fileOf(ports: FolderPorts, key: string): Promise<string> {
  const place = await placeIn(ports, key, false).catch(() => null);
  return place?.path ?? key.split('/').filter(Boolean).join('/');
}

async function holds(
  ports: FolderPorts,
  key: string,
  receipts: readonly Staged[],
  listed: boolean,
): Promise<'this' | 'other' | 'nothing'> {
  const place = await placeIn(ports, key, false);
  const found = place && (await identityAt(place.path, key));
  if (!found) return 'nothing';
  const isIt = (staged: Staged) => (listed ? staged.bytes === found.bytes : isFileOf(staged, found));
  return receipts.some(isIt) ? 'this' : 'other';
}

async function get(ports: FolderPorts, key: string): Promise<Buffer | null> {
  const place = await placeIn(ports, key, false);
  const found = place && (await identityAt(place.path, key));
  if (!found || found.bytes > MOST_SMALL_BYTES) return null;
  await using file = await openForReading(place.path, key);
  return await onDisk(key, () => file.readFile());
}

async function publish(ports: FolderPorts, staged: Staged): Promise<Published> {
  const where = await whereIs(ports, staged);
  if (where === null) {
    throw new SluiceError('destination_changed', {
      detail: `The staged file of ${staged.key} was changed or removed before it was published; it will be written again.`,
    });
  }
  const place = await makePlace(ports, staged.key);
  if (where === 'staging') {
    await onDisk(staged.key, () => rename(join(place.directory, tokenOf(staged).name), place.path));
  }
  await syncDirectory(place.directory, staged.key);
  return { key: staged.key, bytes: staged.bytes, tag: null };
}

async function reread(ports: FolderPorts, published: Published): Promise<RereadableFile> {
  const { path } = await knownPlace(ports, published.key);
  const handle = await openForReading(path, published.key);
  const { size } = await handle.stat().finally(() => handle.close());
  return {
    bytes: size,
    path,
    read: async (start, end) => {
      await using file = await openForReading(path, published.key);
      const length = Math.max(0, Math.min(end, size) - start);
      const body = Buffer.allocUnsafe(length);
      let at = 0;
      while (at < length) {
        const { bytesRead } = await onDisk(published.key, () => file.read(body, at, length - at, start + at));
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return body.subarray(0, at);
    },
    stream: async (signal) => {
      const file = await openForReading(path, published.key);
      return file.createReadStream({ highWaterMark: 1 << 20, ...(signal ? { signal } : {}) });
    },
  };
}

async function put(ports: FolderPorts, key: string, body: Buffer): Promise<void> {
  const place = await makePlace(ports, key);
  const path = join(place.directory, puttingName(place.name, ports.random));
  try {
    await writeBuffer(path, key, body);
    await onDisk(key, () => rename(path, place.path));
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw error;
  }
  await syncDirectory(place.directory, key);
}

async function remove(ports: FolderPorts, key: string): Promise<void> {
  const place = await placeIn(ports, key, false);
  if (place === null) return;
  await onDisk(key, () => rm(place.path, { force: true }));
  await syncDirectory(place.directory, key);
}

async function discard(ports: FolderPorts, staged: Staged): Promise<void> {
  const place = await placeIn(ports, staged.key, false);
  if (place === null) return;
  await onDisk(staged.key, () => rm(join(place.directory, tokenOf(staged).name), { force: true }));
}

async function discardOwn(
  ports: FolderPorts,
  begun: readonly Slot[],
  keep: readonly Staged[],
): Promise<void> {
  const kept = new Set(keep.map((staged) => tokenOf(staged).name));
  for (const { key, runId, attempt } of begun) {
    const place = await placeIn(ports, key, false);
    if (place === null) continue;
    const name = stagingName(place.name, runId, attempt);
    if (!kept.has(name)) await onDisk(key, () => rm(join(place.directory, name), { force: true }));
  }
}

async function sweep(
  ports: FolderPorts,
  runId: string,
  attempt: number,
  keys: readonly string[],
  keep: readonly Staged[],
): Promise<void> {
  const kept = new Set(keep.map((staged) => tokenOf(staged).name));
  const places = (await Promise.all(keys.map((key) => placeIn(ports, key, false)))).filter(
    (place) => place !== null,
  );
  for (const directory of new Set(places.map((place) => place.directory))) {
    const names = new Set(places.filter((place) => place.directory === directory).map(({ name }) => name));
    await sweepDirectory(directory, { runId, attempt, names, keep: kept, now: ports.clock.now() });
  }
}

async function makePlace(ports: FolderPorts, key: string): Promise<Place> {
  return (await placeIn(ports, key, true)) as Place;
}

async function knownPlace(ports: FolderPorts, key: string): Promise<Place> {
  const place = await placeIn(ports, key, false);
  if (place) return place;
  throw new SluiceError('destination_unavailable', {
    detail: `The directory of ${key} was removed while it was in use.`,
  });
}

/** A receipt comes back from the database: its name must still be one we could have given. */
function tokenOf(staged: Staged): Token {
  const { name, mtime } = staged.token;
  if (typeof name !== 'string' || typeof mtime !== 'string' || !/^\.[^/]+\.partial$/.test(name)) {
    throw new Error('Not a receipt of a Filesystem destination.');
  }
  return { name, mtime };
}

function isFile(source: Readable | EngineFile): source is EngineFile {
  return !('pipe' in source);
}
