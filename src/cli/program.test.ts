import type { Command } from 'commander';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCommands } from './commands.ts';
import { programOf } from './program.ts';

let program: Command;
let written = '';

beforeAll(async () => {
  program = programOf(await loadCommands(undefined));
  listen(program);
});

function listen(command: Command): void {
  const write = (text: string) => {
    written += text;
  };
  command.configureOutput({ writeOut: write, writeErr: write });
  command.commands.forEach(listen);
}

async function output(...words: string[]): Promise<string> {
  written = '';
  await expect(program.parseAsync(words, { from: 'user' })).rejects.toThrow();
  return written;
}

it.each([
  ['serve', '--prot', '1'],
  ['keys', 'revoke'],
  ['users', 'create', '--email', 'a@b'],
  ['projects', 'creat'],
])('after an error of %s %s it tells of --help', async (...words) => {
  expect(await output(...words)).toContain('(add --help for what is possible)');
});

describe('--help', () => {
  const WAREHOUSE = ['import', 'export'];
  const ACCOUNTS = [
    'organizations create',
    'organizations list',
    'projects create',
    'projects list',
    'users create',
    'users join',
    'users leave',
    'users deactivate',
    'users activate',
    'users password',
    'users list',
    'keys create',
    'keys list',
    'keys revoke',
  ];

  it.each([...WAREHOUSE, ...ACCOUNTS])('of %s says which installation it works on', async (name) => {
    const help = await output(...name.split(' '), '--help');
    expect(help.replaceAll(/\s+/g, ' ')).toContain('(default: $SLUICE_DATA_DIR or ./.sluice)');
    expect(help).toMatch(/^Environment:$/m);
    expect(help).toContain(' DATABASE_URL ');
    expect(help.includes(' CLICKHOUSE_URL ')).toBe(WAREHOUSE.includes(name));
  });

  it('of serve names every level of the log, and where all settings are', async () => {
    const help = await output('serve', '--help');
    expect(help).toContain('error, fatal, silent');
    expect(help).toContain('All settings: docs/guide.md');
  });
});
