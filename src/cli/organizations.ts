import { Command } from 'commander';
import { type OpenAccounts, type Place, printLine, withDataDir, within } from './accounts-room.ts';

type Open = OpenAccounts<'createOrganization' | 'listOrganizations'>;

const INSTEAD = 'Make organizations through its API (POST /api/organizations/).';

/** `sluice organizations create|list`. */
export function organizationsCommand(open: Open): Command {
  const organizations = new Command('organizations')
    .summary('make and list organizations')
    .description(
      'An organization holds projects and people. Who is not a member of it sees\n' +
        'nothing of it. A running server makes organizations itself:\n' +
        'POST /api/organizations/.',
    )
    .addHelpText(
      'after',
      `
A tenant from nothing:
  sluice organizations create --name Acme
  sluice projects create --organization Acme --name Web
  sluice users create --email ada@acme.test --organization Acme --level owner --password
  sluice keys create --user ada@acme.test --label airflow --scopes batch_export:write`,
    );
  withDataDir(organizations.command('create'))
    .description('Make an organization and print its id. It has no projects and nobody in it yet.')
    .requiredOption('--name <text>', 'how people call it')
    .addHelpText('after', '\nExample:\n  sluice organizations create --name Acme')
    .action((flags: Place & { readonly name: string }) =>
      // The one thing that can be made before the first start.
      within(open, { ...flags, mayBeNew: true }, INSTEAD, async (accounts) =>
        printLine(await accounts.createOrganization({ name: flags.name, userId: null })),
      ),
    );
  withDataDir(organizations.command('list'))
    .description('List all organizations: id, name.')
    .addHelpText('after', '\nExample:\n  sluice organizations list')
    .action((flags: Place) =>
      within(open, flags, INSTEAD, async (accounts) => {
        for (const { id, name } of await accounts.listOrganizations()) printLine(id, name);
      }),
    );
  return organizations;
}
