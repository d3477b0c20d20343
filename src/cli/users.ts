import { Command } from 'commander';
import type { NewPerson, PersonInfo } from '../accounts/accounts.ts';
import { LEVELS, type LevelName } from '../accounts/levels.ts';
import { SluiceError } from '../errors/error.ts';
import {
  type AccountsRoom,
  type OpenAccounts,
  type Place,
  printLine,
  withDataDir,
  within,
} from './accounts-room.ts';
import { readSecret, type SecretInput } from './secret-prompt.ts';

type Open = OpenAccounts<
  | 'createPerson'
  | 'joinOrganization'
  | 'leaveOrganization'
  | 'setActive'
  | 'onlyOneIn'
  | 'listPeople'
  | 'findUserId'
  | 'findOrganizationId'
  | 'setPassword'
>;

interface JoinFlags extends Place {
  readonly email: string;
  readonly organization: string;
  readonly level: LevelName;
}

interface CreateFlags extends JoinFlags {
  readonly firstName?: string;
  readonly password?: boolean;
}

interface GoingFlags extends Place {
  readonly force?: true;
}

const INSTEAD = 'It has no API for people.';
const INSTEAD_OF_PASSWORD =
  'Set your password through its API (PATCH /api/users/@me/ {"password": …} with a key of all scopes).';

/** `sluice users create|join|leave|deactivate|activate|password|list`. Passwords come from the terminal or standard input. */
export function usersCommand(open: Open, input: SecretInput = process.stdin): Command {
  const ask = () => readSecret('Password', input, process.stderr);
  const users = new Command('users')
    .summary('make, list and let out people, and set their passwords')
    .description(
      'People belong to organizations. With a password they may log in (POST\n' +
        '/api/login/); for scripts they have personal API keys (`sluice keys`). The\n' +
        'first person, admin@sluice.local, has no password until one is set here.',
    )
    .addHelpText(
      'after',
      `
Examples:
  sluice users create --email ada@acme.test --organization Acme --level owner --password
  sluice users deactivate ada@acme.test        # somebody leaves
  sluice users list`,
    );
  withLevel(withDataDir(users.command('create')))
    .description('Make a person and print their number.')
    .option('--first-name <text>', 'how others see who did it')
    .option('--password', 'ask for a password, or read it from the first line of standard input')
    .addHelpText(
      'after',
      `
Examples:
  sluice users create --email ada@acme.test --organization Acme --level owner --password
  sluice users create --email ci@acme.test --organization Acme        # keys only
  pass show sluice/ada | sluice users create --email ada@acme.test --organization Acme --password`,
    )
    .action((flags: CreateFlags) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const { email, level, firstName } = flags;
        const organizationId = await accounts.findOrganizationId(flags.organization);
        const wanted: NewPerson = { email, level, organizationId, ...(firstName && { firstName }) };
        printLine(await accounts.createPerson(wanted, flags.password ? await ask() : null));
      }),
    );
  withLevel(withDataDir(users.command('join')))
    .description('Make a known person a member of one more organization, or give a member another level.')
    .addHelpText(
      'after',
      '\nExample:\n  sluice users join --email ada@acme.test --organization Globex --level administrator',
    )
    .action((flags: JoinFlags) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const { email, level } = flags;
        const organizationId = await accounts.findOrganizationId(flags.organization);
        await accounts.joinOrganization({ email, level, organizationId });
        await tell(accounts, await accounts.findUserId(email));
      }),
    );
  withForce(withDataDir(users.command('leave')))
    .description('End a membership: the person and their keys see nothing of the organization any more.')
    .argument('<email or number>', 'who')
    .requiredOption('--organization <name or id>', 'which (`sluice organizations list`)')
    .addHelpText('after', '\nExample:\n  sluice users leave ada@acme.test --organization Globex')
    .action((who: string, flags: GoingFlags & { readonly organization: string }) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const organizationId = await accounts.findOrganizationId(flags.organization);
        const userId = await accounts.findUserId(who);
        if (!flags.force) await refuseLast(accounts, userId, organizationId);
        await accounts.leaveOrganization(userId, organizationId);
        await tell(accounts, userId);
      }),
    );
  for (const [name, active, words] of SWITCHES) {
    const command = withDataDir(users.command(name));
    (active ? command : withForce(command))
      .description(words)
      .argument('<email or number>', 'who')
      .addHelpText('after', `\nExample:\n  sluice users ${name} ada@acme.test`)
      .action((who: string, flags: GoingFlags) =>
        within(open, flags, INSTEAD, async (accounts) => {
          const userId = await accounts.findUserId(who);
          if (!active && !flags.force) await refuseLast(accounts, userId, null);
          await accounts.setActive(userId, active);
          await tell(accounts, userId);
        }),
      );
  }
  withDataDir(users.command('password'))
    .description('Set the password of a person. All their sessions end.')
    .option('--email <email or number>', 'whose (default: the first person’s)')
    .addHelpText(
      'after',
      `
Examples:
  sluice users password --email admin@sluice.local
  openssl rand -base64 18 | tee /dev/tty | sluice users password --email ada@acme.test`,
    )
    .action((flags: Place & { readonly email?: string }) =>
      within(open, flags, INSTEAD_OF_PASSWORD, async (accounts) => {
        const userId = await accounts.findUserId(flags.email);
        await accounts.setPassword({ userId, password: await ask(), proof: null, keep: null });
        process.stderr.write('The password is set.\n');
      }),
    );
  withDataDir(users.command('list'))
    .description('List everybody: number, e-mail, how they come in, memberships.')
    .addHelpText('after', '\nExample:\n  sluice users list')
    .action((flags: Place) =>
      within(open, flags, INSTEAD, async (accounts) => {
        for (const person of await accounts.listPeople()) printLine(...describe(person));
      }),
    );
  return users;
}

const SWITCHES: readonly (readonly [name: string, active: boolean, description: string])[] = [
  [
    'deactivate',
    false,
    'Let nobody in as this person: their sessions end, their keys and password open nothing. What they made stays.',
  ],
  ['activate', true, 'Let a deactivated person in again, with their old keys and password.'],
];

const withForce = (command: Command): Command =>
  command.option('--force', 'also when nobody active is left in an organization');

async function refuseLast(
  accounts: AccountsRoom<'onlyOneIn'>['accounts'],
  userId: number,
  organizationId: string | null,
): Promise<void> {
  const left = await accounts.onlyOneIn(userId, organizationId);
  if (left.length === 0) return;
  throw new SluiceError('invalid_input', {
    detail:
      `Nobody active would be left in ${left.join(', ')}: its exports would go on, and nobody could log in, nor any key enter, until ` +
      '`sluice users join` or `activate`. Give --force if that is meant.',
  });
}

/** What is so now. */
async function tell(accounts: AccountsRoom<'listPeople'>['accounts'], userId: number): Promise<void> {
  const person = (await accounts.listPeople()).find(({ id }) => id === userId);
  if (!person) return;
  const state = person.active ? 'active' : 'deactivated';
  process.stderr.write(`${person.email} is ${state} and in ${membershipsOf(person)}.\n`);
}

const withLevel = (command: Command): Command =>
  command
    .requiredOption('--email <address>', 'the person')
    .requiredOption('--organization <name or id>', 'which (`sluice organizations list`)')
    .option('--level <level>', 'member, administrator or owner', readLevel, 'member');

function readLevel(text: string): LevelName {
  const level = text === 'admin' ? 'administrator' : text;
  if (Object.hasOwn(LEVELS, level)) return level as LevelName;
  throw new SluiceError('invalid_input', {
    detail: `--level takes ${Object.keys(LEVELS).join(', ')}, not "${text}".`,
  });
}

const describe = (person: PersonInfo) => [
  person.id,
  person.email,
  person.active ? (person.hasPassword ? 'password' : 'keys only') : 'inactive',
  membershipsOf(person),
];

const membershipsOf = ({ memberships }: PersonInfo): string =>
  memberships.map(({ organization, level }) => `${organization} (${level})`).join(', ') || 'no organization';
