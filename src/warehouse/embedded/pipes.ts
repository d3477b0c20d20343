import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { makeFifos } from '../../work/fifo.ts';

/** A named pipe through which the engine hands the bytes of one answer to Node. */
export interface Pipe {
  readonly path: string;
  open(): OpenPipe;
}

export interface OpenPipe {
  /** Ends only after `hangUp`, when all that was written has been read. */
  readonly readable: Readable;
  /** To be called once the engine has settled, successfully or not. */
  hangUp(): void;
}

/**
 * Makes `count` named pipes in `folder`; they are reused, since a pipe empties when both ends are closed.
 */
export async function makePipes(folder: string, count: number): Promise<Pipe[]> {
  const paths = Array.from({ length: count }, (_, index) => join(folder, `answer-${index}`));
  await makeFifos(paths);
  return paths.map((path) => ({ path, open: () => open(path) }));
}

/**
 * Reading without blocking and holding a writing end ourselves means that the engine never waits for a
 * reader, and the reader never waits for an engine that failed before opening the pipe.
 */
function open(path: string): OpenPipe {
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writing = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const readable = new Socket({ fd: reading, readable: true, writable: false });
  return { readable, hangUp: () => closeSync(writing) };
}
