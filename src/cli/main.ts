import { Command, CommanderError } from 'commander';
import { SluiceError } from '../errors/error.ts';
import { VERSION } from '../version.ts';
import { loadCommands } from './commands.ts';

const program = new Command('sluice')
  .description('Moves product-analytics events out of a warehouse, on schedule, exactly once, and proves it.')
  .version(VERSION)
  .showHelpAfterError('(add --help for what is possible)')
  .addHelpText(
    'afterAll',
    '\nIn the clone, `sluice` is `npx sluice`; `npm link` there makes it a command of its own.',
  )
  .configureHelp({ sortSubcommands: false });

for (const command of await loadCommands(process.argv[2])) program.addCommand(command);
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
