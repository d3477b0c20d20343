import { randomBytes } from 'node:crypto';
import { Command, CommanderError } from 'commander';
import { createAccounts } from '../accounts/accounts.ts';
import { loadConfig } from '../config.ts';
import { openDatabase } from '../database/database.ts';
import { joinWarehouse } from '../engines.ts';
import { SluiceError } from '../errors/error.ts';
import { VERSION } from '../version.ts';
import { systemClock } from '../work/clock.ts';
import { createLogger } from '../work/log.ts';
import { demoCommand } from './demo.ts';
import { exportCommand } from './export.ts';
import { importCommand } from './import.ts';
import { keysCommand } from './keys.ts';
import { organizationsCommand } from './organizations.ts';
import { projectsCommand } from './projects.ts';
import { serveCommand } from './serve.ts';
import { usersCommand } from './users.ts';
import { warehouseCommand } from './warehouse.ts';

/** For commands that work on a data directory, beside a running server where that is possible. */
async function openRoom(flags: { readonly dataDir?: string }) {
  const config = loadConfig(flags, process.env, process.cwd());
  const { warehouse, close } = await joinWarehouse(config, createLogger('warn'));
  return { warehouse, close, clock: systemClock, config };
}

/** For commands on accounts: the database alone. */
async function openAccounts(flags: { readonly dataDir?: string }) {
  const config = loadConfig(flags, process.env, process.cwd());
  const database = await openDatabase({ url: config.databaseUrl, dataDir: config.dataDir });
  const accounts = createAccounts({ db: database.kysely, clock: systemClock, random: randomBytes });
  return { accounts, close: () => database.close() };
}

const program = new Command('sluice')
  .description('Moves product-analytics events out of a warehouse, on schedule, exactly once, and proves it.')
  .version(VERSION)
  .showHelpAfterError('(add --help for what is possible)')
  .configureHelp({ sortSubcommands: false });

program.addCommand(serveCommand());
program.addCommand(demoCommand());
program.addCommand(importCommand(openRoom));
program.addCommand(exportCommand(openRoom));
program.addCommand(organizationsCommand(openAccounts));
program.addCommand(projectsCommand(openAccounts));
program.addCommand(usersCommand(openAccounts));
program.addCommand(keysCommand(openAccounts));
program.addCommand(warehouseCommand());
const throwing = (command: Command): void => {
  command.exitOverride();
  command.commands.forEach(throwing);
};
throwing(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  if (error instanceof SluiceError) process.stderr.write(`sluice: ${error.message}\n`);
  else process.stderr.write(`sluice: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
