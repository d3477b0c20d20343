import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { loadConfig } from '../config.ts';
import type { AccountsPlace } from './accounts-room.ts';
import { requirePart } from './installation.ts';
import { refuseUnknownProject } from './known-project.ts';
import { withPlaceHelp } from './place-help.ts';

/** Also with the embedded engine: what its server has stamped and not yet sent is not known to a command. */
const SETTLE_MS = 2000;

/** For commands that work on a data directory, beside a running server where that is possible. */
async function openRoom(flags: { readonly dataDir?: string }) {
  const { joinWarehouse } = await import('../engines.ts');
  const { systemClock } = await import('../work/clock.ts');
  const { readersOf } = await import('./readers.ts');
  const { createLogger } = await import('../work/log.ts');
  const { settleDelayOf } = await import('../settle-delay.ts');
  const config = loadConfig(flags, process.env, process.cwd());
  requirePart('warehouse', config);
  const { warehouse, close } = await joinWarehouse(config, createLogger('warn'));
  return {
    warehouse,
    close,
    clock: systemClock,
    settleMs: Math.max(SETTLE_MS, settleDelayOf(config)('hour')),
    readers: (project: number) => readersOf(project, config, systemClock),
    refuseUnknownProject: (id: number, force: boolean) => refuseUnknownProject(id, force, config, warehouse),
  };
}

/** For commands on accounts: the database alone. */
async function openAccounts(flags: AccountsPlace) {
  const { openDatabase } = await import('../database/database.ts');
  const { createAccounts } = await import('../accounts/accounts.ts');
  const { systemClock } = await import('../work/clock.ts');
  const config = loadConfig(flags, process.env, process.cwd());
  if (!flags.mayBeNew) requirePart('database', config);
  const database = await openDatabase({ url: config.databaseUrl, dataDir: config.dataDir, mayUpdate: false });
  const accounts = createAccounts({ db: database.kysely, clock: systemClock, random: randomBytes });
  return { accounts, close: () => database.close() };
}

const BOTH = ['CLICKHOUSE_URL', 'DATABASE_URL'] as const;
const ACCOUNTS = ['DATABASE_URL'] as const;

/** In the order of the help. Each loads only what it needs: a server starts without the demo's reader and client. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
  import: async () => withPlaceHelp((await import('./import.ts')).importCommand(openRoom), BOTH),
  export: async () => withPlaceHelp((await import('./export.ts')).exportCommand(openRoom), BOTH),
  organizations: async () =>
    withPlaceHelp((await import('./organizations.ts')).organizationsCommand(openAccounts), ACCOUNTS),
  projects: async () =>
    withPlaceHelp((await import('./projects.ts')).projectsCommand(openAccounts), ACCOUNTS),
  users: async () => withPlaceHelp((await import('./users.ts')).usersCommand(openAccounts), ACCOUNTS),
  keys: async () => withPlaceHelp((await import('./keys.ts')).keysCommand(openAccounts), ACCOUNTS),
  warehouse: async () => (await import('./warehouse.ts')).warehouseCommand(),
};

/** The command of this name, or all where it is none: for help and for messages about what does not exist. */
export function loadCommands(name: string | undefined): Promise<Command[]> {
  const one = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  return Promise.all((one ? [one] : Object.values(COMMANDS)).map((load) => load()));
}
