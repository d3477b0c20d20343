import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesystem } from '../../src/export/destinations/filesystem.ts';
import { testPorts } from './ports.ts';
import { destinationSuite } from './suite.ts';

destinationSuite('Filesystem', filesystem, async () => {
  const root = await mkdtemp(join(tmpdir(), 'sluice-files-'));
  const names = async () => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  };
  const hidden = (path: string) => path.endsWith('.partial');
  return {
    setup: { type: 'Filesystem', config: {}, integration: {} },
    ports: testPorts(root),
    contentOf: (key) => readFile(join(root, key)).catch(() => null),
    visibleKeys: async () =>
      (await names()).filter((path) => !hidden(path)).map((path) => path.slice(root.length + 1)),
    leftovers: async () => (await names()).filter(hidden),
    close: () => rm(root, { recursive: true, force: true }),
  };
});
