import { Command, CommanderError } from 'commander';
import { SluiceError } from '../errors/error.ts';
import { serveCommand } from './serve.ts';

const program = new Command('sluice')
  .description('Moves product-analytics events out of a warehouse, on schedule, exactly once, and proves it.')
  .version('0.1.0')
  .showHelpAfterError('(add --help for what is possible)')
  .configureHelp({ sortSubcommands: false })
  .exitOverride();

program.addCommand(serveCommand());

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  if (error instanceof SluiceError) process.stderr.write(`sluice: ${error.message}\n`);
  else process.stderr.write(`sluice: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
