import { clearLine, cursorTo } from 'node:readline';
import type { WriteStream } from 'node:tty';

export interface Progress {
  /** How much is done, in the unit of `total`; `note` stands behind it. */
  update(done: number, note?: string): void;
  /** Replaces the bar by a last line. */
  end(line?: string): void;
}

export interface ProgressOptions {
  /** 0 = unknown. */
  readonly total: number;
  readonly label: string;
  /** Milliseconds, for how often to draw. */
  readonly now?: () => number;
}

const WIDTH = 24;
const DRAW_EVERY_MS = 80;
const LINE_EVERY_PERCENT = 25;

/**
 * A progress bar on a terminal; plain lines, one per quarter, anywhere else (files, CI).
 * Draws at most twelve times a second.
 */
export function createProgress(stream: NodeJS.WritableStream, options: ProgressOptions): Progress {
  return isTerminal(stream) ? bar(stream, options) : plainLines(stream, options);
}

function bar(stream: WriteStream, { total, label, now = Date.now }: ProgressOptions): Progress {
  let drawnAt = Number.NEGATIVE_INFINITY;
  const erase = () => {
    cursorTo(stream, 0);
    clearLine(stream, 0);
  };
  return {
    update: (done, note = '') => {
      if (now() - drawnAt < DRAW_EVERY_MS && done < total) return;
      drawnAt = now();
      const filled = Math.round(share(done, total) * WIDTH);
      const line = `${label} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${percent(done, total)} ${note}`;
      erase();
      stream.write(line.slice(0, Math.max(1, stream.columns - 1)));
    },
    end: (line) => {
      erase();
      if (line !== undefined) stream.write(`${line}\n`);
    },
  };
}

function plainLines(stream: NodeJS.WritableStream, { total, label }: ProgressOptions): Progress {
  let next = LINE_EVERY_PERCENT;
  return {
    update: (done, note = '') => {
      if (share(done, total) * 100 < next) return;
      while (next <= share(done, total) * 100) next += LINE_EVERY_PERCENT;
      stream.write(`${label} ${percent(done, total)} ${note}`.trimEnd().concat('\n'));
    },
    end: (line) => {
      if (line !== undefined) stream.write(`${line}\n`);
    },
  };
}

function share(done: number, total: number): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
}

function percent(done: number, total: number): string {
  return total > 0 ? `${Math.floor(share(done, total) * 100)} %` : '';
}

function isTerminal(stream: NodeJS.WritableStream): stream is WriteStream {
  return 'isTTY' in stream && stream.isTTY === true;
}
