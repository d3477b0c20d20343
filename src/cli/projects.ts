import { Command } from 'commander';
import { SluiceError } from '../errors/error.ts';
import { type OpenAccounts, type Place, printLine, withDataDir, within } from './accounts-room.ts';

type Open = OpenAccounts<'createProject' | 'listProjects' | 'findOrganizationId'>;

interface CreateFlags extends Place {
  readonly organization: string;
  readonly name: string;
  readonly timezone: string;
  readonly number?: number;
}

const INSTEAD = 'Make projects through its API (POST /api/organizations/:id/projects/).';

/** `sluice projects create|list`. */
export function projectsCommand(open: Open): Command {
  const projects = new Command('projects')
    .summary('make and list projects')
    .description(
      'A project has its own events, exports, integrations and project key (phc_…,\n' +
        'for capture). Every member of its organization may enter it. A running\n' +
        'server makes projects itself: POST /api/organizations/:id/projects/.',
    )
    .addHelpText(
      'after',
      `
Examples:
  sluice projects create --organization Acme --name Web
  sluice projects list`,
    );
  withDataDir(projects.command('create'))
    .description('Make a project; print its number and its project key.')
    .requiredOption('--organization <name or id>', 'whose it is (`sluice organizations list`)')
    .requiredOption('--name <text>', 'how people call it')
    .option('--timezone <name>', 'dates without an offset are read in it, like Europe/Berlin', 'UTC')
    .option('--number <team id>', 'its number, the team_id of its events (default: the next)', readNumber)
    .addHelpText(
      'after',
      `
Examples:
  sluice projects create --organization "My organization" --name Staging
  sluice projects create --organization Acme --name Web --timezone Europe/Berlin
  sluice projects create --organization Acme --name Shop --number 42       # PostHog's team 42`,
    )
    .action((flags: CreateFlags) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const { name, timezone, number } = flags;
        const organizationId = await accounts.findOrganizationId(flags.organization);
        const id = await accounts.createProject({
          organizationId,
          name,
          timezone,
          userId: null,
          ...(number !== undefined && { number }),
        });
        const made = (await accounts.listProjects()).find((project) => project.id === id);
        printLine(id, made?.api_token ?? '');
      }),
    );
  withDataDir(projects.command('list'))
    .description('List all projects: number, project key, organization, name.')
    .option('--organization <name or id>', 'only this organization’s')
    .addHelpText('after', '\nExample:\n  sluice projects list --organization Acme')
    .action((flags: Place & { readonly organization?: string }) =>
      within(open, flags, INSTEAD, async (accounts) => {
        const { organization } = flags;
        const only = organization === undefined ? null : await accounts.findOrganizationId(organization);
        for (const project of await accounts.listProjects()) {
          if (only !== null && project.organization_id !== only) continue;
          printLine(project.id, project.api_token, project.organization_name, project.name);
        }
      }),
    );
  return projects;
}

function readNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new SluiceError('invalid_input', { detail: `--number takes a whole number, not "${text}".` });
}
