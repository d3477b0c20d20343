import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { checkFileOptions, fileOptionKeys, fileOptionsOf } from './file-options.ts';
import { foreignProblem } from './filesystem/folder.ts';
import { keyProblem } from './filesystem/place.ts';
import { openFilesystem } from './filesystem/target.ts';
import { writingStep } from './test-steps.ts';

/**
 * Files below `SLUICE_FILES_ROOT` on the server's own disk, each organization but the first in a folder of its own;
 * ours, contract.md §3.
 */
export const filesystem: Destination = {
  type: 'Filesystem',
  title: 'Files on the server',
  config: Type.Object({
    prefix: Type.Optional(
      Type.String({
        description: 'Directory below SLUICE_FILES_ROOT; may hold {year}, {month}, … Default: none.',
      }),
    ),
    ...fileOptionKeys,
  }),
  secretKeys: [],
  integration: null,
  check: (config) => checkPrefix(config.prefix) ?? checkFileOptions(config),
  accepts: async ({ config: { prefix } }, { folder }) => {
    const problem = typeof prefix === 'string' && (await folder()) === null ? foreignProblem(prefix) : null;
    return problem && `prefix ${problem}`;
  },
  files: fileOptionsOf,
  testSteps: [
    writingStep(
      {
        name: 'Write a file',
        description:
          'Writes a small file below SLUICE_FILES_ROOT and the prefix, reads its size, and removes it.',
      },
      openFilesystem,
    ),
  ],
  open: openFilesystem,
  // Before organizations had folders, all wrote to all of the root.
  openFormer: async ({ folder, ...setup }, ports) => (folder ? openFilesystem(setup, ports) : null),
};

/** Refuses at creation what would be refused at each run. Variables such as {year} hold no path parts. */
function checkPrefix(prefix: unknown): string | null {
  const problem = typeof prefix === 'string' ? keyProblem(`${prefix}/x`) : null;
  return problem && `prefix ${problem}`;
}
