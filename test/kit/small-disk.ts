import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether this process may mount a tmpfs; says so when it may not. */
export function mayMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), 'sluice-mount-'));
  try {
    mountTmpfs(probe, 'size=1m');
    unmount(probe);
    return true;
  } catch {
    process.stdout.write('disk faults on a small tmpfs are skipped: mount(8) is not allowed here\n');
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

export function mountTmpfs(directory: string, ...options: string[]): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', directory], { stdio: 'ignore' });
}

export function remount(directory: string, option: string): void {
  execFileSync('mount', ['-o', `remount,${option}`, directory]);
}

/** Lazily: somebody may still have files open there. */
export function unmount(directory: string): void {
  execFileSync('umount', ['-l', directory]);
}

/** A disk of its own, to be filled up by something that is not Sluice's. */
export interface SmallDisk {
  readonly path: string;
  /** Until no more than `left` bytes can be written to it; 0 by default. */
  fill(left?: number): void;
  /** Takes back what filled it. */
  makeRoom(): void;
  remove(): void;
}

export function smallDisk(mebibytes: number): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'sluice-small-disk-'));
  mountTmpfs(path, `size=${mebibytes}m`);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill: (left = 0) => {
      const file = openSync(ballast, 'a');
      const block = Buffer.alloc(4096, 1);
      try {
        for (;;) writeSync(file, block);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        ftruncateSync(file, fstatSync(file).size - left);
      } finally {
        closeSync(file);
      }
    },
    makeRoom: () => rmSync(ballast),
    remove: () => {
      unmount(path);
      rmSync(path, { recursive: true, force: true });
    },
  };
}
