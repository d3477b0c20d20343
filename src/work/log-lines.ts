import { writeSync } from 'node:fs';

/**
 * How long the thread waits for a pipe that takes nothing at the moment (EAGAIN). On a blocking one the system itself
 * waits, as long as its reader stands still.
 */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 50;

/** What the system is asked for; a test answers instead. */
export interface LinePorts {
  /** Returns how many bytes were written. Throws errors of the system. */
  readonly write: (fd: number, bytes: Uint8Array) => number;
  /** Keeps the thread for so many milliseconds. */
  readonly wait: (ms: number) => void;
}

const system: LinePorts = {
  write: (fd, bytes) => writeSync(fd, bytes),
  wait: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
};

/**
 * Writes whole lines to `fd`, at once. A line that cannot be written (no space left, nobody reads) is dropped: a
 * log must not end what it tells of. `onLost` is told how many were, once lines are written again.
 */
export function lineWriter(
  fd: number,
  onLost: (lines: number) => void,
  { write, wait }: LinePorts = system,
): { write(line: string): void } {
  let lost = 0;
  let begun = false;

  /** Whether all of it was written. */
  const put = (bytes: Uint8Array): boolean => {
    let left = lost > 0 ? 0 : PATIENCE_MS;
    for (let done = 0; done < bytes.length; ) {
      try {
        done += write(fd, bytes.subarray(done));
        begun = done < bytes.length;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || left <= 0) return false;
        left -= PAUSE_MS;
        wait(PAUSE_MS);
      }
    }
    return true;
  };

  return {
    write: (line) => {
      // After half a line another begins, so that each that is whole can be read.
      if (!put(Buffer.from(begun ? `\n${line}` : line))) {
        lost++;
        return;
      }
      const before = lost;
      lost = 0;
      if (before > 0) onLost(before);
    },
  };
}
