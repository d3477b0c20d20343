import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fileDownload } from './file-download.ts';

const ports = {
  clock: { now: () => 0, sleep: async () => {} },
  random: () => 0,
  filesRoot: '/nowhere',
  checkHost: async () => {},
  onRetry: () => {},
};

it('writes below its own root, not below the one of users, and never makes it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'sluice-download-'));
  const { open } = fileDownload(root);
  const setup = { type: 'FileDownload', config: {}, integration: {} };
  const target = await open?.(setup, ports);
  const slot = { runId: 'run', attempt: 1, key: 'run/a.parquet', contentType: 'x/y' };
  expect(await target?.stagingPath(slot)).toContain(join(root, 'run'));
  rmSync(root, { recursive: true });
  await expect(open?.(setup, ports)).rejects.toMatchObject({ code: 'destination_missing' });
});
