import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { type CompiledQuery, Kysely } from 'kysely';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { type Database, openDatabase } from '../../src/database/database.ts';
import { pgliteDialect } from '../../src/database/embedded/dialect.ts';
import type { Tables } from '../../src/database/tables.ts';
import { systemClock } from '../../src/work/clock.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';
import { MASTER_KEY, seededBytes } from './start-api.ts';

export interface AskingDatabase {
  readonly database: Database;
  /** The same database; what is asked through it is kept. */
  readonly asking: Kysely<Tables>;
  /** What was asked, in order. */
  readonly asked: CompiledQuery[];
  readonly pglite: Pick<PGlite, 'query' | 'exec'>;
  /** Of the first project. */
  readonly teamId: number;
  close(): Promise<void>;
}

/** An embedded database of its own, for tests that look at how the queries of the code are planned. */
export async function openAskingDatabase(): Promise<AskingDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-plans-'));
  await prepareDatabase(dataDir);
  const database = await openDatabase({ dataDir });
  const accounts = createAccounts({ db: database.kysely, clock: systemClock, random: seededBytes('plans') });
  const { projectId } = await accounts.bootstrap(MASTER_KEY);
  if (!('pglite' in database.engine)) throw new Error('not embedded');
  const pglite = database.engine.pglite as never;
  const asked: CompiledQuery[] = [];
  return {
    database,
    asking: new Kysely<Tables>({
      dialect: pgliteDialect(pglite),
      log: ({ query }) => void asked.push(query),
    }),
    asked,
    pglite,
    teamId: projectId,
    close: async () => {
      await database.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}
