import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  Destination,
  DestinationPorts,
  FileTarget,
  Slot,
  Staged,
} from '../../src/export/destinations/destination.ts';
import type { DestinationSetup } from '../../src/export/spec.ts';
import { bytesOf, digestOf, streamOf } from './bytes.ts';

const MIB = 1 << 20;

/** A real place to write to, and an independent look at it. */
export interface Subject {
  readonly setup: DestinationSetup;
  readonly ports: DestinationPorts;
  /** What a reader of the destination sees; null = no such key. */
  contentOf(key: string): Promise<Buffer | null>;
  visibleKeys(): Promise<readonly string[]>;
  /** Whatever is stored and not visible: staged files, open uploads. */
  leftovers(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What a place cannot do by its nature, named so that nobody mistakes it for a pass. */
export type Inability =
  | 'tells what is staged'
  | 'takes staging back'
  | 'is quick enough for 200 MB'
  | 'reads the first byte alone';

/** The promises of `FileTarget`, for every destination alike. */
export function destinationSuite(
  name: string,
  destination: Destination,
  start: () => Promise<Subject>,
  cannot: readonly Inability[] = [],
): void {
  describe(`${name} keeps the promises of a destination`, () => {
    let subject: Subject;
    let target: FileTarget;
    let number = 0;
    const canTell = !cannot.includes('tells what is staged');
    const canUndo = !cannot.includes('takes staging back');
    const fresh = () => openOf(destination, subject);
    const live = () => new AbortController().signal;
    const slotOf = (change: Partial<Slot> = {}): Slot => ({
      runId: `018f0000-0000-7000-8000-${String(++number).padStart(12, '0')}`,
      attempt: 1,
      key: `ph/events/2025-01-07T00:00:00+00:00-2025-01-08T00:00:00+00:00-${number} ü&.parquet`,
      contentType: 'application/octet-stream',
      ...change,
    });
    const stageBytes = (slot: Slot, seed: number, length: number) =>
      target.stage(slot, streamOf(seed, length), live());
    const leftoversOf = async (slot: Slot) => {
      const last = slot.key.slice(slot.key.lastIndexOf('/') + 1);
      return (await subject.leftovers()).filter((entry) => entry.includes(last));
    };

    beforeAll(async () => {
      subject = await start();
      target = await fresh();
    });
    afterAll(async () => {
      await target?.close();
      await subject?.close();
    });

    it('shows nothing of a staged file, and all of it once published', async () => {
      const slot = slotOf();
      const staged = await stageBytes(slot, 1, 300_000);
      expect(staged).toMatchObject({ key: slot.key, bytes: 300_000 });
      expect(await subject.visibleKeys()).not.toContain(slot.key);
      if (canTell) expect(await leftoversOf(slot)).toHaveLength(1);

      const published = await target.publish(staged, live());
      expect(published).toMatchObject({ key: slot.key, bytes: 300_000 });
      expect(await subject.visibleKeys()).toContain(slot.key);
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(1, 300_000));
      expect(await leftoversOf(slot)).toEqual([]);
    });

    it('replaces what the key held, and not before publish', async () => {
      const slot = slotOf();
      await target.publish(await stageBytes(slot, 2, 1000), live());
      const second = await stageBytes({ ...slot, attempt: 2 }, 3, 2000);
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(2, 1000));
      await target.publish(second, live());
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(3, 2000));
    });

    it('publishes again with the same answer', async () => {
      const slot = slotOf();
      const staged = await stageBytes(slot, 4, 5000);
      const first = await target.publish(staged, live());
      expect(await target.publish(staged, live())).toEqual(first);
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(4, 5000));
    });

    it('goes on from the receipt after a crash', async () => {
      const slot = slotOf();
      const receipt = JSON.stringify(await stageBytes(slot, 5, 6 * MIB));
      const later = await fresh();
      const staged = JSON.parse(receipt) as Staged;
      if (canTell) expect(await later.isStaged(staged)).toBe(true);
      await later.publish(staged, live());
      expect(await later.isStaged(staged), 'a crash right after publishing').toBe(true);
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(5, 6 * MIB));
      await later.close();
    });

    it('tells the file of a receipt from another one under its key', async () => {
      const slot = slotOf();
      const mine = await stageBytes(slot, 23, 1000);
      expect(await target.holds(slot.key, [mine], false)).toBe('nothing');
      await target.publish(mine, live());
      expect(await target.holds(slot.key, [mine], false)).toBe('this');
      expect(await target.holds(slot.key, [], false)).toBe('other');
      const other = await stageBytes({ ...slot, attempt: 2 }, 24, 1000);
      await target.publish(other, live());
      expect(await target.holds(slot.key, [mine], false)).toBe('other');
      expect(await target.holds(slot.key, [mine, other], false)).toBe('this');
      await target.remove(slot.key);
      expect(await target.holds(slot.key, [mine, other], false)).toBe('nothing');
    });

    it.skipIf(!canUndo)('knows that a discarded file is gone', async () => {
      const slot = slotOf();
      const staged = await stageBytes(slot, 6, 1000);
      await target.discard(staged);
      await target.discard(staged);
      expect(await target.isStaged(staged)).toBe(false);
      expect(await leftoversOf(slot)).toEqual([]);
      expect(await subject.contentOf(slot.key)).toBeNull();
      await expect(target.publish(staged, live())).rejects.toMatchObject({
        name: 'SluiceError',
        kind: 'retry',
      });
    });

    it.skipIf(!canUndo)('takes no file of equal size for a receipt of its own', async () => {
      const slot = slotOf();
      const mine = await stageBytes(slot, 7, 1000);
      await target.discard(mine);
      await target.publish(await stageBytes({ ...slot, attempt: 2 }, 8, 1000), live());
      expect(await target.isStaged(mine)).toBe(false);
      await expect(target.publish(mine, live())).rejects.toMatchObject({ kind: 'retry' });
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(8, 1000));
    });

    it.skipIf(!canUndo)(
      'undoes its own staging, not what it keeps and not what another stages meanwhile',
      async () => {
        const [older, newer] = [await fresh(), await fresh()];
        const [slot, other] = [slotOf(), slotOf()];
        const mine = await older.stage(slot, streamOf(20, 1000), live());
        const kept = await older.stage(other, streamOf(21, 1000), live());
        const [begun, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const bytes = bytesOf(22, 2000);
        const slow = Readable.from(
          (async function* () {
            yield bytes.subarray(0, 500);
            begun.resolve();
            await goOn.promise;
            yield bytes.subarray(500);
          })(),
        );
        const staging = newer.stage({ ...slot, attempt: 2 }, slow, live());
        await begun.promise;
        await older.discardOwn([kept]);
        await older.discardOwn([kept]);
        goOn.resolve();
        await newer.publish(await staging, live());
        expect(await older.isStaged(mine)).toBe(false);
        expect(await subject.contentOf(slot.key)).toEqual(bytes);
        await older.publish(kept, live());
        await older.discardOwn([]);
        expect(await subject.contentOf(other.key)).toEqual(bytesOf(21, 1000));
        expect(await leftoversOf(slot)).toEqual([]);
        await Promise.all([older.close(), newer.close()]);
      },
    );

    it.skipIf(!canUndo)('sweeps what earlier attempts of the run left, and nothing else', async () => {
      const slot = slotOf();
      const other = slotOf({ key: slot.key.replace('.parquet', '-other.parquet') });
      await stageBytes(slot, 9, 1000);
      const kept = await stageBytes(
        { ...slot, key: slot.key.replace('.parquet', '-kept.parquet') },
        10,
        1000,
      );
      const foreign = await stageBytes(other, 11, 1000);
      const later = await fresh();
      const now = { ...slot, attempt: 2 };
      await later.sweep(slot.runId, 2, [slot.key, kept.key], [kept]);
      const current = await later.stage(now, streamOf(12, 2000), live());
      await later.sweep(slot.runId, 2, [slot.key, kept.key], [kept, current]);
      expect(await target.isStaged(kept)).toBe(true);
      expect(await target.isStaged(foreign)).toBe(true);
      expect(await target.isStaged(current)).toBe(true);
      expect(await leftoversOf(slot)).toHaveLength(1);

      await later.sweep(slot.runId, Number.POSITIVE_INFINITY, [slot.key, kept.key], []);
      expect(await leftoversOf(slot)).toEqual([]);
      expect(await target.isStaged(kept)).toBe(false);
      expect(await target.isStaged(foreign)).toBe(true);
      await target.discard(foreign);
      await later.close();
    });

    it('reads back any range, and the whole', async () => {
      const slot = slotOf();
      const body = bytesOf(13, 100_000);
      const published = await target.publish(await stageBytes(slot, 13, body.length), live());
      const file = await target.open(published);
      expect(file.bytes).toBe(body.length);
      if (!cannot.includes('reads the first byte alone')) {
        expect(await file.read(0, 1)).toEqual(body.subarray(0, 1));
      }
      for (const [start, end] of [
        [0, 2],
        [0, 100_000],
        [99_992, 100_000],
        [5, 5],
        [50_000, 60_001],
        [99_999, 200_000],
      ] as const) {
        expect(await file.read(start, end)).toEqual(body.subarray(start, end));
      }
      expect(Buffer.concat(await (await file.stream()).toArray())).toEqual(body);
    });

    it.each([0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1])(
      'carries %i bytes unchanged',
      async (length) => {
        const slot = slotOf();
        const staged = await stageBytes(slot, 14, length);
        if (canTell) expect(await target.isStaged(staged)).toBe(true);
        const published = await target.publish(staged, live());
        expect(published.bytes).toBe(length);
        const content = await subject.contentOf(slot.key);
        expect(content?.length).toBe(length);
        expect(sha256(content as Buffer)).toBe(digestOf(14, length));
        await target.remove(slot.key);
      },
    );

    it.skipIf(cannot.includes('is quick enough for 200 MB'))('carries 200 MB in flat memory', async () => {
      const slot = slotOf();
      const before = process.memoryUsage().arrayBuffers;
      let peak = 0;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
      }, 5);
      const staged = await stageBytes(slot, 15, 200_000_000).finally(() => clearInterval(watch));
      const published = await target.publish(staged, live());
      expect(peak, 'the watch has run').toBeGreaterThan(0);
      expect(peak - before).toBeLessThan(160 * MIB);
      const hash = createHash('sha256');
      for await (const chunk of await (await target.open(published)).stream()) hash.update(chunk);
      expect(hash.digest('hex')).toBe(digestOf(15, 200_000_000));
      await target.remove(slot.key);
    });

    it.skipIf(!canUndo)('leaves nothing when it is stopped mid-stream', async () => {
      const slot = slotOf();
      const stop = new AbortController();
      const reason = new Error('the run was cancelled');
      const source = streamOf(16, 80 * MIB);
      let seen = 0;
      source.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 20 * MIB) stop.abort(reason);
      });
      source.pause();
      await expect(target.stage(slot, source, stop.signal)).rejects.toBe(reason);
      expect(source.destroyed).toBe(true);
      expect(await leftoversOf(slot)).toEqual([]);
      expect(await subject.contentOf(slot.key)).toBeNull();
    });

    it.skipIf(!canUndo)('passes an error of the source on unchanged and leaves nothing', async () => {
      const slot = slotOf();
      const broken = new Error('the warehouse stopped');
      const source = streamOf(17, 30 * MIB);
      let seen = 0;
      source.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        if (seen > 10 * MIB) source.destroy(broken);
      });
      source.pause();
      await expect(target.stage(slot, source, live())).rejects.toBe(broken);
      expect(await leftoversOf(slot)).toEqual([]);
    });

    it.skipIf(!canUndo)('reports a source that had failed before it was read', async () => {
      const slot = slotOf();
      const broken = new Error('the warehouse refused');
      const source = streamOf(19, 1000);
      source.destroy(broken);
      await expect(target.stage(slot, source, live())).rejects.toBe(broken);
      expect(await leftoversOf(slot)).toEqual([]);
    });

    it('writes a small object at once, replaces and removes it', async () => {
      const { key } = slotOf();
      await target.put(key, Buffer.from('{"files":[]}'), 'application/json');
      await target.put(key, Buffer.from('{"files":["a"]}'), 'application/json');
      expect(String(await subject.contentOf(key))).toBe('{"files":["a"]}');
      expect(String(await target.get(key))).toBe('{"files":["a"]}');
      await target.remove(key);
      await target.remove(key);
      expect(await subject.contentOf(key)).toBeNull();
      expect(await target.get(key)).toBeNull();
    });

    it('takes a file the engine wrote itself', async () => {
      const slot = slotOf();
      const path = await target.stagingPath(slot);
      if (path === null) return expect(destination.type).not.toBe('Filesystem');
      const { writeFile } = await import('node:fs/promises');
      await writeFile(path, bytesOf(18, 12_345));
      const staged = await target.stage(slot, { path, written: Promise.resolve() }, live());
      expect(await subject.visibleKeys()).not.toContain(slot.key);
      await target.publish(staged, live());
      expect(await subject.contentOf(slot.key)).toEqual(bytesOf(18, 12_345));
    });
  });
}

/** Opens the subject as a new process would. */
export async function openOf(destination: Destination, subject: Subject): Promise<FileTarget> {
  if (!destination.open) throw new Error(`${destination.type} cannot be opened yet`);
  return await destination.open(subject.setup, subject.ports);
}

const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex');
