import { execFile } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** Named pipes that only this user can open. Node has no mkfifo(2); one run of mkfifo(1) makes them all (4 ms for 64). */
export async function makeFifos(paths: readonly string[]): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', ...paths]);
}

/** How often to look whether the reader has come, milliseconds. */
const LOOK_AGAIN_MS = 2;

/**
 * The writing end of a named pipe, as soon as somebody reads from it; null when `givenUp` says that nobody will.
 * Writing never blocks a thread: what the pipe has no room for waits in the socket. A reader that leaves
 * early makes writes fail with EPIPE.
 */
export async function fifoWriter(path: string, givenUp: () => boolean): Promise<Socket | null> {
  while (!givenUp()) {
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await delay(LOOK_AGAIN_MS);
  }
  return null;
}
