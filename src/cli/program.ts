import { Command } from 'commander';
import { VERSION } from '../version.ts';

/** `sluice` with these commands. Throws `CommanderError` instead of ending the process. */
export function programOf(commands: readonly Command[]): Command {
  const program = new Command('sluice')
    .description(
      'Moves product-analytics events out of a warehouse, on schedule, exactly once, and proves it.',
    )
    .version(VERSION)
    .showHelpAfterError('(add --help for what is possible)')
    .exitOverride()
    .addHelpText(
      'afterAll',
      '\nIn the clone, `sluice` is `npx sluice`; `npm link` there makes it a command of its own.',
    )
    .configureHelp({ sortSubcommands: false });
  for (const command of commands) program.addCommand(command);
  inherit(program);
  return program;
}

/** Commands that were made apart have settings of their own, however deep they are. */
function inherit(parent: Command): void {
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inherit(command);
  }
}
