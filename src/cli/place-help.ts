import type { Command } from 'commander';

/** Of every command that works on the data directory of a server. */
export const DATA_DIR_HELP = 'data directory of Sluice (default: $SLUICE_DATA_DIR or ./.sluice)';

const VARIABLES = {
  CLICKHOUSE_URL: 'the ClickHouse with the events; without it, the embedded one',
  DATABASE_URL: 'the Postgres with the accounts and exports; without it, the embedded one',
} as const;

/** Says, in the help of a command and of those below it, which installation it works on: the shell's settings count. */
export function withPlaceHelp(command: Command, names: readonly (keyof typeof VARIABLES)[]): Command {
  const lines = names.map((name) => `  ${name.padEnd(16)}${VARIABLES[name]}\n`);
  const text = `
Environment:
${lines.join('')}  SLUICE_DATA_DIR the data directory with the embedded ones, unless --data-dir is given`;
  for (const each of [command, ...command.commands]) each.addHelpText('after', text);
  return command;
}
