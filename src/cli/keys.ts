import { Command } from 'commander';
import type { Accounts, KeyInfo } from '../accounts/accounts.ts';
import { SluiceError } from '../errors/error.ts';

export interface KeysRoom {
  readonly accounts: Pick<Accounts, 'createKey' | 'listKeys' | 'revokeKey' | 'findUserId'>;
  close(): Promise<void>;
}

interface Room {
  readonly dataDir?: string;
}

interface CreateFlags extends Room {
  readonly label: string;
  readonly scopes: readonly string[];
  readonly projects?: readonly number[];
  readonly user?: string;
}

/**
 * `sluice keys create|list|revoke`. Works on the database itself: `open` reaches it, and fails with
 * `data_dir_locked` while a server holds an embedded one.
 */
export function keysCommand(open: (flags: Room) => Promise<KeysRoom>): Command {
  const keys = new Command('keys')
    .summary('make, list and revoke personal API keys')
    .description(
      'Personal API keys (phx_…) open the API. These commands work on the database: on the Postgres of\n' +
        'DATABASE_URL at any time, on the embedded database while no server runs. A running server makes\n' +
        'keys itself: POST /api/personal_api_keys/.',
    );
  keys
    .command('create')
    .description('Make a key and print it, the only time it can be shown.')
    .option('--label <text>', 'what it is for', 'made by sluice keys')
    .option('--scopes <list>', 'like batch_export:write,integration:read; * is everything', commaList, ['*'])
    .option('--projects <ids>', 'only these projects (default: all of the user’s)', projectList)
    .option('--user <email or id>', 'whose key it is (default: the first user)')
    .option('--data-dir <dir>', 'data directory of Sluice (default: ./.sluice)')
    .addHelpText(
      'after',
      '\nExample:\n  sluice keys create --label airflow --scopes batch_export:write --projects 1',
    )
    .action((flags: CreateFlags) => within(open, flags, (accounts) => create(accounts, flags)));
  keys
    .command('list')
    .description('List all keys, masked; revoked ones too.')
    .option('--data-dir <dir>', 'data directory of Sluice (default: ./.sluice)')
    .action((flags: Room) =>
      within(open, flags, async (accounts) => {
        for (const key of await accounts.listKeys(null)) process.stdout.write(`${describe(key)}\n`);
      }),
    );
  keys
    .command('revoke')
    .description('End a key at once.')
    .argument('<id>', 'its id, as `sluice keys list` shows it')
    .option('--data-dir <dir>', 'data directory of Sluice (default: ./.sluice)')
    .action((id: string, flags: Room) =>
      within(open, flags, async (accounts) => {
        const key = await accounts.revokeKey(id);
        process.stdout.write(`Revoked ${key.mask} (${key.label}).\n`);
      }),
    );
  return keys;
}

async function create(accounts: KeysRoom['accounts'], flags: CreateFlags): Promise<void> {
  const { key } = await accounts.createKey({
    userId: await accounts.findUserId(flags.user),
    label: flags.label,
    scopes: flags.scopes,
    projects: flags.projects ?? null,
    organizations: null,
  });
  // Only the key on stdout, so that it can be put into a variable or a secret store.
  process.stdout.write(`${key}\n`);
}

async function within(
  open: (flags: Room) => Promise<KeysRoom>,
  flags: Room,
  act: (accounts: KeysRoom['accounts']) => Promise<void>,
): Promise<void> {
  const room = await open(flags.dataDir === undefined ? {} : { dataDir: flags.dataDir }).catch(explainLock);
  try {
    await act(room.accounts);
  } finally {
    await room.close();
  }
}

function explainLock(error: unknown): never {
  if (!(error instanceof SluiceError) || error.code !== 'data_dir_locked') throw error;
  throw new SluiceError('data_dir_locked', {
    detail:
      'A running Sluice holds this data directory. Make keys through its API ' +
      '(POST /api/personal_api_keys/ with a key of all scopes), or stop it first.',
    cause: error,
  });
}

const describe = (key: KeyInfo): string =>
  [
    key.id,
    key.mask,
    key.scopes.join(','),
    key.projects === null ? 'all projects' : `projects ${key.projects.join(',')}`,
    key.revokedAt
      ? `revoked ${key.revokedAt.toISOString()}`
      : `used ${key.lastUsedAt?.toISOString() ?? 'never'}`,
    key.label,
  ].join('  ');

const commaList = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);

function projectList(text: string): number[] {
  const ids = commaList(text);
  const bad = ids.find((id) => !/^[1-9]\d{0,8}$/.test(id));
  if (bad === undefined && ids.length > 0) return ids.map(Number);
  throw new SluiceError('invalid_input', { detail: `--projects takes numbers like 1,2, not "${text}".` });
}
