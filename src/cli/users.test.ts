import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { type Accounts, createAccounts } from '../accounts/accounts.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { systemClock } from '../work/clock.ts';
import { keysCommand } from './keys.ts';
import { organizationsCommand } from './organizations.ts';
import { projectsCommand } from './projects.ts';
import type { SecretInput } from './secret-prompt.ts';
import { usersCommand } from './users.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-users-'));
let database: Database;
let accounts: Accounts;

beforeAll(async () => {
  await prepareDatabase(dataDir);
  database = await openDatabase({ dataDir });
  let seed = 0;
  accounts = createAccounts({
    db: database.kysely,
    clock: systemClock,
    random: (count) => Buffer.alloc(count, ++seed),
    passwordCost: { N: 1024, r: 8, p: 1 },
  });
  await accounts.bootstrap(undefined);
});
afterAll(async () => {
  await database.close();
  rmSync(dataDir, { recursive: true });
});

/** Standard input with these pieces; on a terminal keys come one by one and nothing is echoed. */
function typing(pieces: readonly string[], isTTY = false): SecretInput {
  const input = Object.assign(new PassThrough(), { isTTY, setRawMode: () => {} });
  if (!isTTY) input.end(pieces.join(''));
  else {
    const next = pieces.values();
    input.on('resume', () => void setImmediate(() => input.write(next.next().value ?? '\u0003')));
  }
  return input;
}

/** On stderr by the last command. */
let told = '';

async function run(words: readonly string[], input = typing([])): Promise<string> {
  const written: string[] = [];
  const write = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => written.push(String(text)) > 0);
  told = '';
  const silent = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text);
    return true;
  });
  const open = async () => ({ accounts, close: async () => {} });
  const [name, ...rest] = words;
  const commands: readonly Command[] = [
    organizationsCommand(open),
    projectsCommand(open),
    usersCommand(open, input),
    keysCommand(open),
  ];
  try {
    const command = commands.find((each) => each.name() === name);
    for (const each of command?.commands ?? []) each.exitOverride().configureOutput({ writeErr: () => {} });
    await command?.parseAsync([...rest], { from: 'user' });
    for (const [text] of silent.mock.calls) expect(String(text)).not.toContain('pass word');
  } finally {
    write.mockRestore();
    silent.mockRestore();
  }
  return written.join('');
}

const login = (email: string, password: string) => accounts.login({ email, password, ip: '::1' });

describe('a tenant from nothing', () => {
  it('an organization, a project, its owner with a password, and a key', async () => {
    const organization = (await run(['organizations', 'create', '--name', 'Acme'])).trim();
    expect(await run(['organizations', 'list'])).toContain(`${organization}  Acme\n`);

    const made = await run(['projects', 'create', '--organization', 'Acme', '--name', 'Web']);
    const [project = '', token = ''] = made.trim().split('  ');
    expect(await accounts.findProjectByToken(token)).toMatchObject({ id: Number(project), timezone: 'UTC' });
    expect(await run(['projects', 'list', '--organization', organization])).toBe(
      `${project}  ${token}  Acme  Web\n`,
    );
    expect((await run(['projects', 'list'])).split('\n')).toHaveLength(3);

    const email = 'Ada@acme.test';
    const person = ['--email', email, '--organization', 'Acme', '--level', 'owner'];
    const id = (
      await run(['users', 'create', ...person, '--password'], typing(['first pass word\n']))
    ).trim();
    expect(await run(['users', 'list'])).toContain(`${id}  ada@acme.test  password  Acme (owner)\n`);
    await login(email, 'first pass word');

    const key = await run([
      'keys',
      'create',
      '--user',
      email,
      '--projects',
      project,
      '--organizations',
      'Acme',
    ]);
    const identified = await accounts.authenticate(key.trim());
    expect(identified?.caller).toMatchObject({
      userId: Number(id),
      currentProjectId: Number(project),
      scopedProjects: [Number(project)],
      scopedOrganizations: [organization],
    });
    expect(await accounts.findProject(Number(project), Number(id))).toMatchObject({ member: true });
    expect(await accounts.findProject(1, Number(id))).toMatchObject({ member: false });
  });

  it('a known person joins a second organization, and gets another level', async () => {
    const join = ['users', 'join', '--email', 'ada@acme.test', '--organization', 'My organization'];
    expect(await run(join)).toBe('');
    expect(told).toBe('ada@acme.test is active and in My organization (member), Acme (owner).\n');
    expect(await run(['users', 'list'])).toContain('Acme (owner)');
    expect(await run(['users', 'list'])).toContain('My organization (member)');
    await run([...join, '--level', 'admin']);
    expect(await run(['users', 'list'])).toContain('My organization (administrator)');
  });

  it('a project gets the number that somebody chose, PostHog’s team id', async () => {
    const made = await run([
      'projects',
      'create',
      '--organization',
      'Acme',
      '--name',
      'Shop',
      '--number',
      '42',
    ]);
    expect(made).toMatch(/^42 {2}phc_/);
    expect(await run(['projects', 'list'])).toContain(made.trim());
  });

  it('every change leaves an activity', async () => {
    const rows = await database.kysely
      .selectFrom('activity_log')
      .select(['scope', 'activity'])
      .orderBy('id')
      .execute();
    const kinds = new Set(rows.map(({ scope, activity }) => `${scope} ${activity}`));
    for (const kind of ['Organization created', 'Project created', 'User created', 'User joined']) {
      expect(kinds).toContain(kind);
    }
  });
});

describe('sluice users password', () => {
  const EMAIL = 'admin@sluice.local';

  it('from standard input', async () => {
    await expect(login(EMAIL, 'piped pass word')).rejects.toMatchObject({ code: 'invalid_credentials' });
    const token = accounts.authenticateSession;
    await run(['users', 'password', '--email', EMAIL], typing(['piped pass word\nnot this\n']));
    const session = await login(EMAIL, 'piped pass word');
    expect(await token(session)).not.toBeNull();
    await run(['users', 'password'], typing(['other pass word\n']));
    expect(await token(session)).toBeNull();
  });

  it('typed twice on a terminal, without an echo', async () => {
    const typed = ['typed pass worx', '\u007fd', '\r', 'typed pass word\r'];
    const input = typing([typed.slice(0, 3).join(''), typed[3] ?? ''], true);
    await run(['users', 'password', '--email', EMAIL], input);
    await login(EMAIL, 'typed pass word');
  });

  it.each([
    ['two that differ', typing(['one pass word\r', 'two pass word\r'], true)],
    ['Ctrl-C', typing(['one pass\u0003'], true)],
    ['nothing', typing([])],
    ['an empty line', typing(['\n'])],
    ['a short one', typing(['short\n'])],
  ])('%s changes nothing', async (_what, input) => {
    await expect(run(['users', 'password'], input)).rejects.toMatchObject({ code: 'invalid_input' });
    await login(EMAIL, 'typed pass word');
  });
});

describe('somebody leaves', () => {
  const EMAIL = 'leaving@acme.test';

  it('deactivated, nothing of theirs opens; activated, all does but the sessions', async () => {
    const person = ['--email', EMAIL, '--organization', 'Acme', '--password'];
    await run(['users', 'create', ...person], typing(['leaving pass word\n']));
    const key = (await run(['keys', 'create', '--user', EMAIL])).trim();
    const session = await login(EMAIL, 'leaving pass word');
    expect(await accounts.authenticate(key)).not.toBeNull();

    await run(['users', 'deactivate', EMAIL]);
    expect(told).toBe(`${EMAIL} is deactivated and in Acme (member).\n`);
    expect(await run(['users', 'list'])).toContain(`${EMAIL}  inactive`);
    expect(await run(['keys', 'list'])).toContain(`  ${EMAIL} (inactive)  `);
    expect(await accounts.authenticate(key)).toBeNull();
    expect(await accounts.authenticateSession(session)).toBeNull();
    await expect(login(EMAIL, 'leaving pass word')).rejects.toMatchObject({ code: 'invalid_credentials' });

    await run(['users', 'activate', EMAIL]);
    expect(told).toBe(`${EMAIL} is active and in Acme (member).\n`);
    expect(await accounts.authenticate(key)).not.toBeNull();
    expect(await accounts.authenticateSession(session)).toBeNull();
    await login(EMAIL, 'leaving pass word');
  });

  it('out of one organization, they are in another of theirs, then in none', async () => {
    const id = await accounts.findUserId(EMAIL);
    const key = (await run(['keys', 'create', '--user', EMAIL])).trim();
    const acme = (await accounts.authenticate(key))?.caller.currentProjectId ?? 0;
    await run(['users', 'join', '--email', EMAIL, '--organization', 'My organization']);
    expect(await accounts.findProject(acme, id)).toMatchObject({ member: true });

    await run(['users', 'leave', EMAIL, '--organization', 'Acme']);
    expect(await accounts.findProject(acme, id)).toMatchObject({ member: false });
    expect((await accounts.authenticate(key))?.caller.currentProjectId).toBe(1);
    await run(['users', 'leave', EMAIL, '--organization', 'My organization']);
    expect(told).toBe(`${EMAIL} is active and in no organization.\n`);
    expect((await accounts.authenticate(key))?.caller.currentProjectId).toBeNull();
    expect(await run(['users', 'list'])).toContain(`${EMAIL}  password  no organization`);

    const again = run(['users', 'leave', EMAIL, '--organization', 'Acme']);
    await expect(again).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('the last who is active in an organization', () => {
  const EMAIL = 'last@globex.test';
  const active = async () => (await accounts.listPeople()).find(({ email }) => email === EMAIL)?.active;

  it('goes only with --force, whatever others who are deactivated are there', async () => {
    await run(['organizations', 'create', '--name', 'Globex']);
    for (const email of ['gone@globex.test', EMAIL]) {
      await run(['users', 'create', '--email', email, '--organization', 'Globex']);
    }
    await run(['users', 'deactivate', 'gone@globex.test']);
    const leave = ['users', 'leave', EMAIL, '--organization', 'Globex'];
    for (const words of [leave, ['users', 'deactivate', EMAIL]]) {
      await expect(run(words)).rejects.toMatchObject({
        code: 'invalid_input',
        message: expect.stringMatching(/^Nobody active would be left in Globex: .* --force/),
      });
    }
    expect(await active()).toBe(true);
    await run(['users', 'deactivate', EMAIL, '--force']);
    expect(await active()).toBe(false);
    // Nobody is locked out by what is so already.
    await run(leave);
    await run(['users', 'join', '--email', EMAIL, '--organization', 'Globex']);
    await run(['users', 'activate', EMAIL]);
    await run([...leave, '--force']);
    expect(told).toBe(`${EMAIL} is active and in no organization.\n`);
  });
});

describe('refusals', () => {
  const at = ['--organization', 'Acme'];
  it.each([
    [['organizations', 'create', '--name', ' '], 'blank'],
    [['organizations', 'create', '--name', 'x'.repeat(65)], 'max_length'],
    [['projects', 'create', '--organization', 'Nobody', '--name', 'x'], 'not_found'],
    [['projects', 'create', ...at, '--name', ''], 'blank'],
    [['projects', 'create', ...at, '--name', 'x', '--timezone', 'Mars'], 'invalid_choice'],
    [['projects', 'create', ...at, '--name', 'x', '--number', '1'], 'unique'],
    [['projects', 'create', ...at, '--name', 'x', '--number', '0'], 'invalid_input'],
    [['projects', 'create', ...at, '--name', 'x', '--number', '1000000000'], 'invalid_input'],
    [['users', 'create', ...at, '--email', 'ada@acme.test'], 'unique'],
    [['users', 'create', ...at, '--email', 'ada'], 'invalid_input'],
    [['users', 'create', ...at, '--email', 'b@acme.test', '--level', 'king'], 'invalid_input'],
    [['users', 'create', ...at], 'commander.missingMandatoryOptionValue'],
    [['users', 'join', ...at, '--email', 'nobody@acme.test'], 'not_found'],
    [['users', 'password', '--email', 'nobody@acme.test'], 'not_found'],
    [['users', 'leave', ...at, 'nobody@acme.test'], 'not_found'],
    [['users', 'deactivate', 'nobody@acme.test'], 'not_found'],
    [['users', 'deactivate'], 'commander.missingArgument'],
    [['keys', 'create', '--organizations', 'Nobody'], 'not_found'],
  ])('%j: %s', async (words, code) => {
    await expect(run(words)).rejects.toMatchObject({ code });
  });

  it('a name of several organizations needs the id', async () => {
    await run(['organizations', 'create', '--name', 'Twin']);
    await run(['organizations', 'create', '--name', 'Twin']);
    const attempt = run(['projects', 'create', '--organization', 'Twin', '--name', 'x']);
    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
