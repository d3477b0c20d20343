import { gzipSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { createReader, type Reader, type ReadRequest, type SentRequest } from '../reader.ts';
import type { ReaderThread } from './open-thread.ts';
import { readInThreads } from './readers.ts';

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
        readings.push(() => busy--);
        return new Promise(() => {});
      },
      close: async () => void asked.push(`${name} closed`),
    };
  };
  const reader = readInThreads({
    here,
    open,
    threads,
    threadBytes: 100,
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
  const { reader, asked } = stage(1);
  void reader.read(request(gzipSync('x'.repeat(99))));
  void reader.read(request(gzipSync('x'.repeat(1000))));
  void reader.read(request(12, 'br'));
  void reader.read(request(13, 'br'));
  void reader.read({ ...request(0), content: { data: 'x'.repeat(100), compression: '' } });
  expect(asked).toEqual(['here', 'thread 1', 'here', 'thread 1', 'thread 1']);
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
