import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { type Accounts, createAccounts } from '../accounts/accounts.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { systemClock } from '../work/clock.ts';
import { keysCommand } from './keys.ts';

describe('sluice keys', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
  let database: Database;
  let accounts: Accounts;

  beforeAll(async () => {
    await prepareDatabase(dataDir);
    database = await openDatabase({ dataDir });
    let seed = 0;
    const random = (count: number) => Buffer.alloc(count, ++seed);
    accounts = createAccounts({ db: database.kysely, clock: systemClock, random });
    await accounts.bootstrap(undefined);
  });
  afterAll(async () => {
    await database.close();
    rmSync(dataDir, { recursive: true });
  });

  let told: string[];

  async function run(...words: string[]): Promise<string> {
    const written: string[] = [];
    told = [];
    const tell = vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0);
    const write = vi
      .spyOn(process.stdout, 'write')
      .mockImplementation((text) => written.push(String(text)) > 0);
    try {
      await keysCommand(async () => ({ accounts, close: async () => {} })).parseAsync(words, {
        from: 'user',
      });
    } finally {
      write.mockRestore();
      tell.mockRestore();
    }
    return written.join('');
  }

  it('makes, lists and revokes', async () => {
    const key = (
      await run('create', '--label', 'airflow', '--scopes', 'batch_export:write', '--projects', '1')
    ).trim();
    expect(await accounts.authenticate(key, 1)).toMatchObject({
      caller: { scopes: ['batch_export:write'], scopedProjects: [1] },
      project: { member: true, project: { id: 1 } },
    });
    const line = (await run('list')).split('\n').find((text) => text.includes('airflow')) ?? '';
    expect(line).toContain('projects 1');
    expect(line).toMatch(/ {2}admin@sluice\.local {2}.* {2}made 20\d\d-.* {2}used 20/);
    expect(line).not.toContain(key);
    await run('revoke', line.split('  ')[0] ?? '');
    expect(await accounts.authenticate(key)).toBeNull();
    expect(await run('list')).toMatch(/revoked 20/);
  });

  it('says of a key that opens nothing why', async () => {
    await run('create', '--scopes', 'batch_export:write,organization:read,*');
    expect(told).toEqual([]);
    const scopes = 'batch_exports:write,integration:read,person:read';
    expect(await run('create', '--scopes', scopes), 'the key alone').toMatch(/^phx_\S+\n$/);
    expect(told.join('')).toMatch(
      /^warning: nothing here has the scope batch_exports:write; known: batch_export, .*\n.* person:read; .*\n$/,
    );
    const id = await accounts.findUserId();
    await accounts.setActive(id, false);
    await run('create');
    expect(told).toEqual([
      'warning: admin@sluice.local is deactivated: this key opens nothing until `sluice users activate admin@sluice.local`\n',
    ]);
    await accounts.setActive(id, true);
  });

  it.each([
    [['create', '--projects', 'x'], 'invalid_input'],
    [['create', '--projects', ''], 'invalid_input'],
    [['create', '--organizations', ''], 'invalid_input'],
    [['create', '--organizations', ' , '], 'invalid_input'],
    [['create', '--scopes', 'x'], 'invalid_input'],
    [['create', '--scopes', ''], 'invalid_input'],
    [['create', '--user', 'nobody@example.test'], 'not_found'],
    [['revoke', '00000000-0000-4000-8000-000000000000'], 'not_found'],
    [['revoke', 'x'], 'not_found'],
  ])('%j is refused: %s', async (words, code) => {
    await expect(run(...words)).rejects.toMatchObject({ code });
  });

  it('says what to do while a server holds the database', async () => {
    const open = async () => {
      await openDatabase({ dataDir });
      throw new Error('opened twice');
    };
    const attempt = keysCommand(open).parseAsync(['list'], { from: 'user' });
    await expect(attempt).rejects.toMatchObject({
      code: 'data_dir_locked',
      message: expect.stringContaining('/api/personal_api_keys/'),
    });
  });
});
