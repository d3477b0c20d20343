import { afterEach, describe, expect, it, vi } from 'vitest';
import { warehouseCommand } from './warehouse.ts';

afterEach(() => vi.unstubAllEnvs());

describe('sluice warehouse', () => {
  it.each(['--host', '--data-dir', '--port', '--password'])('refuses an empty %s', async (option) => {
    let ran = false;
    const command = warehouseCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => {} })
      .action(() => {
        ran = true;
      });
    const attempt = command.parseAsync([option, ''], { from: 'user' });
    await expect(attempt).rejects.toMatchObject({ code: 'commander.invalidArgument' });
    expect(ran).toBe(false);
  });

  it.each([
    ['', '.sluice'],
    ['/srv', '/srv'],
  ])('SLUICE_DATA_DIR=%j is %s', (text, dataDir) => {
    vi.stubEnv('SLUICE_DATA_DIR', text);
    expect(warehouseCommand().opts()).toMatchObject({ dataDir, host: '127.0.0.1' });
  });
});
