import { afterEach, describe, expect, it, vi } from 'vitest';
import { type WarehouseOptions, warehouseCommand, warehouseSettings } from './warehouse.ts';

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

  const settings = (words: string[], environment: Record<string, string>) => {
    const command = warehouseCommand().action(() => {});
    command.parse(words, { from: 'user' });
    return warehouseSettings(command.opts<WarehouseOptions>(), environment, '/');
  };

  it('takes password, memory and level of its log from the environment, and options before them', () => {
    const unset = { memory: 4e9, password: undefined, secret: false, logLevel: 'info' };
    expect(settings([], {})).toEqual(unset);
    expect(settings([], { SLUICE_WAREHOUSE_PASSWORD: '' })).toEqual(unset);
    const env = {
      SLUICE_WAREHOUSE_PASSWORD: 'fixed',
      SLUICE_WAREHOUSE_MEMORY: '2000000000',
      SLUICE_LOG_LEVEL: 'warn',
    };
    expect(settings([], env)).toEqual({
      memory: 2e9,
      password: 'fixed',
      secret: true,
      logLevel: 'warn',
    });
    expect(settings(['--password', 'x', '--memory', '3000000000'], env)).toMatchObject({
      memory: 3e9,
      password: 'x',
      secret: false,
    });
    expect(settings(['--no-password'], env).password).toBeNull();
    expect(() => settings([], { SLUICE_WAREHOUSE_MEMORY: 'much' })).toThrow('SLUICE_WAREHOUSE_MEMORY');
  });
});
