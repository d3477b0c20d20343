import type { Transaction } from 'kysely';
import type { Tables } from './tables.ts';

/** Makes those who would go over a project's limit at once wait for each other, until the end of the transaction. */
export async function lockProject(trx: Transaction<Tables>, teamId: number): Promise<void> {
  await trx.selectFrom('projects').select('id').where('id', '=', teamId).forNoKeyUpdate().execute();
}
