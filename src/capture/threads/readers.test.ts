import { gzipSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { createReader, type Reader, type ReadRequest, type SentRequest } from '../reader.ts';
import { encodeRows } from '../rows.ts';
import type { ReaderThread } from './open-thread.ts';
import { readInThreads } from './readers.ts';

const MB = 1024 * 1024;

const request = (body: number | Buffer, contentEncoding = ''): SentRequest => ({
  content: {
    raw: typeof body === 'number' ? Buffer.alloc(body) : body,
    contentType: '',
    contentEncoding,
    compression: '',
  },
  protocol: 'events',
  query: { key: '', sentAt: '' },
  ip: null,
  receivedMicros: 0,
});

const NOTHING = { rows: encodeRows(1, []), results: null };

/** Threads that read when told to, and a note of who was asked. */
function stage(threads: number, reading: Reader['read'] = () => new Promise(() => {})) {
  const asked: string[] = [];
  const lost: Error[] = [];
  const ends: ((error: Error) => void)[] = [];
  const readings: (() => void)[] = [];
  const here: Reader = {
    read: (sent): Promise<ReadRequest> => {
      asked.push('here');
      return reading(sent);
    },
  };
  const open = (onLost: (error: Error) => void): ReaderThread => {
    const name = `thread ${ends.push(onLost)}`;
    let busy = 0;
    return {
      get busy() {
        return busy;
      },
      read: () => {
        asked.push(name);
        busy++;
        const { promise, resolve } = Promise.withResolvers<ReadRequest>();
        readings.push(() => {
          busy--;
          resolve(NOTHING);
        });
        return promise;
      },
      close: async () => void asked.push(`${name} closed`),
    };
  };
  const reader = readInThreads({
    here,
    open,
    threads,
    threadBytes: 100,
    mostWaitingBytes: 5 * MB,
    onLost: (error) => lost.push(error),
  });
  return { reader, asked, lost, ends, readings };
}

it('small requests are read here, large ones by the idlest thread, of which there are as many as are needed and allowed', () => {
  const { reader, asked, readings } = stage(2);
  const read = (bytes: number) => void reader.read(request(bytes));
  read(99);
  read(100);
  readings[0]?.();
  read(100);
  read(100);
  read(100);
  readings[2]?.();
  read(100);
  expect(asked).toEqual(['here', 'thread 1', 'thread 1', 'thread 2', 'thread 1', 'thread 2']);
});

it('what turns out to hold more than it says is read in a thread after all', async () => {
  const { read } = createReader({
    projectByKey: async () => null,
    newUuid: () => new Uint8Array(16),
    personId: () => new Uint8Array(16),
    mostBytes: 100,
  });
  const { reader, asked } = stage(1, read);
  const text = JSON.stringify({ event: 'x'.repeat(100) });
  const twoMembers = Buffer.concat([gzipSync(text), gzipSync(' ')]);
  void reader.read(request(twoMembers));
  void reader.read(request(gzipSync(gzipSync(text))));
  await vi.waitFor(() => expect(asked).toEqual(['here', 'here', 'thread 1', 'thread 1']));
  await expect(reader.read(request(gzipSync('{}')))).rejects.toMatchObject({ code: 'not_authenticated' });
});

it('what a packed request holds counts, not what was sent', () => {
  const { reader, asked } = stage(3);
  void reader.read(request(gzipSync('x'.repeat(99))));
  void reader.read(request(gzipSync('x'.repeat(1000))));
  void reader.read(request(12, 'br'));
  void reader.read(request(13, 'br'));
  void reader.read({ ...request(0), content: { data: 'x'.repeat(100), compression: '' } });
  expect(asked).toEqual(['here', 'thread 1', 'here', 'thread 2', 'thread 3']);
});

it('a lost thread is replaced by the next request, and closing ends those there are', async () => {
  const { reader, asked, lost, ends } = stage(1);
  void reader.read(request(100));
  ends[0]?.(new Error('out of memory'));
  void reader.read(request(100));
  await reader.close();
  expect(asked).toEqual(['thread 1', 'thread 2', 'thread 2 closed']);
  expect(lost.map(({ message }) => message)).toEqual(['out of memory']);
});

it('gives a thread no more than one request to read and one to go on with; the others wait for their turn', async () => {
  const { reader, asked, readings } = stage(1);
  const answers = Array.from({ length: 4 }, () => reader.read(request(100)));
  expect(asked).toEqual(['thread 1', 'thread 1']);
  readings[0]?.();
  await answers[0];
  await vi.waitFor(() => expect(asked).toHaveLength(3));
  readings[1]?.();
  await vi.waitFor(() => expect(asked).toHaveLength(4));
  readings[2]?.();
  readings[3]?.();
  expect(await Promise.all(answers)).toEqual(Array(4).fill(NOTHING));
});

it('refuses what would wait behind too much, and counts two megabytes for whatever says it is less', async () => {
  const { reader } = stage(1);
  for (const bytes of [100, 100, 100, 3 * MB]) void reader.read(request(bytes));
  await expect(reader.read(request(100))).rejects.toMatchObject({ code: 'unavailable', retryAfter: 5 });
});

it('leaves unread what waits for nobody any more', async () => {
  const { reader, asked, readings } = stage(1);
  for (const bytes of [100, 100]) void reader.read(request(bytes));
  const gone = new AbortController();
  const left = reader.read(request(4 * MB), gone);
  gone.abort();
  await expect(left).rejects.toMatchObject({ code: 'unavailable' });
  const stays = reader.read(request(4 * MB), new AbortController());
  await expect(reader.read(request(100), gone)).rejects.toMatchObject({ code: 'unavailable' });
  readings[0]?.();
  await vi.waitFor(() => expect(asked).toHaveLength(3));
  readings[2]?.();
  expect(await stays).toEqual(NOTHING);
});

it('what still waits when it is closed is to be sent again', async () => {
  const { reader } = stage(1);
  for (const bytes of [100, 100]) void reader.read(request(bytes));
  const waiting = reader.read(request(100));
  const closed = reader.close();
  await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
  await closed;
});
