import { CommanderError } from 'commander';
import { SluiceError } from '../errors/error.ts';
import { loadCommands } from './commands.ts';
import { programOf } from './program.ts';

const program = programOf(await loadCommands(process.argv[2]));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode);
  if (error instanceof SluiceError) process.stderr.write(`sluice: ${error.message}\n`);
  else process.stderr.write(`sluice: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
