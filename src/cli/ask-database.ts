import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Tables } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';

/** One question to the database of an installation; null while a running server holds the embedded one. Throws `made_by_older`. */
export async function askDatabase<Answer>(
  { databaseUrl, dataDir }: Pick<Config, 'databaseUrl' | 'dataDir'>,
  question: (db: Kysely<Tables>) => Promise<Answer>,
): Promise<Answer | null> {
  const { openDatabase } = await import('../database/database.ts');
  try {
    const database = await openDatabase({ url: databaseUrl, dataDir, mayUpdate: false });
    try {
      return await question(database.kysely);
    } finally {
      await database.close();
    }
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'data_dir_locked') return null;
    throw error;
  }
}
