import { Command } from 'commander';
import type { KeyInfo, PersonInfo } from '../accounts/accounts.ts';
import { SCOPE_OBJECTS, scopesOfNothing } from '../accounts/scopes.ts';
import { SluiceError } from '../errors/error.ts';
import {
  type AccountsRoom,
  commaList,
  type OpenAccounts,
  type Place,
  printLine,
  withDataDir,
  within,
} from './accounts-room.ts';

type Open = OpenAccounts<
  'createKey' | 'listKeys' | 'listPeople' | 'revokeKey' | 'findUserId' | 'findOrganizationId'
>;

interface CreateFlags extends Place {
  readonly label: string;
  readonly scopes: readonly string[];
  readonly projects?: readonly number[];
  readonly organizations?: readonly string[];
  readonly user?: string;
}

const INSTEAD = 'Make keys through its API (POST /api/personal_api_keys/ with a key of all scopes).';

/**
 * `sluice keys create|list|revoke`. Works on the database itself: `open` reaches it, and fails with
 * `data_dir_locked` while a server holds an embedded one.
 */
export function keysCommand(open: Open): Command {
  const keys = new Command('keys')
    .summary('make, list and revoke personal API keys')
    .description(
      'Personal API keys (phx_…) open the API. These commands work on the database: on the Postgres of\n' +
        'DATABASE_URL at any time, on the embedded database while no server runs. A running server makes\n' +
        'keys itself: POST /api/personal_api_keys/.',
    )
    .addHelpText(
      'after',
      `
Examples:
  sluice keys create --label airflow --scopes batch_export:write --projects 1
  sluice keys list`,
    );
  withDataDir(keys.command('create'))
    .description('Make a key and print it, the only time it can be shown.')
    .option('--label <text>', 'what it is for', 'made by sluice keys')
    .option('--scopes <list>', 'like batch_export:write,integration:read; * is everything', commaList, ['*'])
    .option('--projects <ids>', 'only these projects (default: all of the user’s)', projectList)
    .option('--organizations <names or ids>', 'only these organizations (default: all)', organizationList)
    .option('--user <email or id>', 'whose key it is (default: the first user)')
    .addHelpText(
      'after',
      `
Scopes: ${SCOPE_OBJECTS.join(', ')}; each as :read or :write, which includes :read.

Examples:
  sluice keys create --label airflow --scopes batch_export:write --projects 1
  sluice keys create --label terraform --user ada@acme.test --scopes batch_export:write,integration:write
  sluice keys create --label acme --organizations Acme
  KEY=$(sluice keys create --label shell)`,
    )
    .action((flags: CreateFlags) => within(open, flags, INSTEAD, (accounts) => create(accounts, flags)));
  withDataDir(keys.command('list'))
    .description('List all keys, masked, with their owners; revoked ones too.')
    .addHelpText('after', '\nExample:\n  sluice keys list')
    .action((flags: Place) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const people = new Map((await accounts.listPeople()).map((person) => [person.id, person]));
        for (const key of await accounts.listKeys(null)) {
          printLine(...describe(key, people.get(key.userId)));
        }
      }),
    );
  withDataDir(keys.command('revoke'))
    .description('End a key at once.')
    .argument('<id>', 'its id, as `sluice keys list` shows it')
    .addHelpText('after', '\nExample:\n  sluice keys revoke 019a5b2e-6f7c-7000-8a41-6d1f9a2b7c10')
    .action((id: string, flags: Place) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const key = await accounts.revokeKey(id);
        printLine(`Revoked ${key.mask} (${key.label}).`);
      }),
    );
  return keys;
}

async function create(
  accounts: AccountsRoom<'createKey' | 'listPeople' | 'findUserId' | 'findOrganizationId'>['accounts'],
  flags: CreateFlags,
): Promise<void> {
  const organizations = flags.organizations
    ? await Promise.all(flags.organizations.map((one) => accounts.findOrganizationId(one)))
    : null;
  const userId = await accounts.findUserId(flags.user);
  const { key } = await accounts.createKey({
    userId,
    label: flags.label,
    scopes: flags.scopes,
    projects: flags.projects ?? null,
    organizations,
  });
  // Only the key on stdout, so that it can be put into a variable or a secret store.
  printLine(key);
  const owner = (await accounts.listPeople()).find(({ id }) => id === userId);
  for (const sentence of warnings(flags.scopes, owner)) process.stderr.write(`warning: ${sentence}\n`);
}

function warnings(scopes: readonly string[], owner: PersonInfo | undefined): string[] {
  const known = `${SCOPE_OBJECTS.join(', ')}, each as :read or :write, and *`;
  const sentences = scopesOfNothing(scopes).map(
    (scope) => `nothing here has the scope ${scope}; known: ${known}`,
  );
  if (owner?.active === false) {
    sentences.push(
      `${owner.email} is deactivated: this key opens nothing until \`sluice users activate ${owner.email}\``,
    );
  }
  return sentences;
}

const describe = (key: KeyInfo, owner: PersonInfo | undefined): string[] => [
  key.id,
  key.mask,
  `${owner?.email ?? key.userId}${owner?.active === false ? ' (inactive)' : ''}`,
  key.scopes.join(','),
  limitsOf(key),
  `made ${key.createdAt.toISOString()}`,
  key.revokedAt
    ? `revoked ${key.revokedAt.toISOString()}`
    : `used ${key.lastUsedAt?.toISOString() ?? 'never'}`,
  key.label,
];

const limitsOf = ({ projects, organizations }: KeyInfo): string =>
  [
    ...(projects ? [`projects ${projects.join(',')}`] : []),
    ...(organizations ? [`organizations ${organizations.join(',')}`] : []),
  ].join(' ') || 'all projects';

function projectList(text: string): number[] {
  const ids = commaList(text);
  const bad = ids.find((id) => !/^[1-9]\d{0,8}$/.test(id));
  if (bad === undefined && ids.length > 0) return ids.map(Number);
  throw new SluiceError('invalid_input', { detail: `--projects takes numbers like 1,2, not "${text}".` });
}

/** An empty list is a script's unset variable: it must not make a key without limits. */
function organizationList(text: string): string[] {
  const organizations = commaList(text);
  if (organizations.length > 0) return organizations;
  throw new SluiceError('invalid_input', {
    detail: `--organizations takes names or ids like Acme,Initech, not "${text}".`,
  });
}
