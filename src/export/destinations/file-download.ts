import { stat } from 'node:fs/promises';
import { SluiceError } from '../../errors/error.ts';
import type { Destination } from './destination.ts';
import { filesystem } from './filesystem.ts';

/** Internal: made by file downloads only, never by a user's export (contract.md §9). */
export const FILE_DOWNLOAD = 'FileDownload';

/**
 * Files for people to fetch, in a private directory on the server's own disk. Written as the Filesystem destination
 * writes, below `root` (SLUICE_DOWNLOADS_ROOT) instead of SLUICE_FILES_ROOT.
 */
export function fileDownload(root: string): Destination {
  const { openFormer: _, ...files } = filesystem;
  return {
    ...files,
    type: FILE_DOWNLOAD,
    title: 'File download',
    testSteps: null,
    // Downloads of all organizations lie side by side, each in a folder of its own name.
    open: async ({ folder: _, ...setup }, ports) => {
      await requireDirectory(root);
      return openFiles(setup, { ...ports, filesRoot: root });
    },
  };
}

const openFiles = filesystem.open as NonNullable<Destination['open']>;

/** An unmounted disk must not be mistaken for an empty one. */
async function requireDirectory(root: string): Promise<void> {
  const found = await stat(root).catch(() => null);
  if (found?.isDirectory()) return;
  throw new SluiceError('destination_missing', {
    detail: 'SLUICE_DOWNLOADS_ROOT: the directory does not exist on this server; create or mount it.',
  });
}
