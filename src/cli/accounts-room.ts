import type { Command } from 'commander';
import type { Accounts } from '../accounts/accounts.ts';
import { SluiceError } from '../errors/error.ts';
import { DATA_DIR_HELP } from './place-help.ts';

/** What commands on accounts work on: the database alone. */
export interface AccountsRoom<Wanted extends keyof Accounts = keyof Accounts> {
  readonly accounts: Pick<Accounts, Wanted>;
  close(): Promise<void>;
}

/** Where it is. */
export interface Place {
  readonly dataDir?: string;
}

export interface AccountsPlace extends Place {
  /** Make the database where there is none. */
  readonly mayBeNew?: true;
}

export type OpenAccounts<Wanted extends keyof Accounts> = (
  flags: AccountsPlace,
) => Promise<AccountsRoom<Wanted>>;

/** Gives a command the option that tells where the accounts are. */
export const withDataDir = (command: Command): Command => command.option('--data-dir <dir>', DATA_DIR_HELP);

/**
 * Opens the accounts, acts, closes them. `instead` is what to do while a server holds an embedded database, whose error is
 * `data_dir_locked`.
 */
export async function within<Wanted extends keyof Accounts>(
  open: OpenAccounts<Wanted>,
  { dataDir, mayBeNew }: AccountsPlace,
  instead: string,
  act: (accounts: Pick<Accounts, Wanted>) => Promise<void>,
): Promise<void> {
  const place = { ...(dataDir !== undefined && { dataDir }), ...(mayBeNew && { mayBeNew }) };
  const room = await open(place).catch((error) => explainLock(error, instead));
  try {
    await act(room.accounts);
  } finally {
    await room.close();
  }
}

function explainLock(error: unknown, instead: string): never {
  if (!(error instanceof SluiceError) || error.code !== 'data_dir_locked') throw error;
  throw new SluiceError('data_dir_locked', {
    detail: `A running Sluice holds this data directory. ${instead} Or stop it first.`,
    cause: error,
  });
}

/** Two spaces between columns, for eyes and for `awk`. */
export const printLine = (...columns: readonly (string | number)[]): void =>
  void process.stdout.write(`${columns.join('  ')}\n`);

/** Items of a list like `a, b`. */
export const commaList = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
