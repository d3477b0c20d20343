import { type Static, Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import type { ResourcePorts } from '../ports.ts';
import { queryFields, readBounds } from './body.ts';
import { readDownloadQuery } from './query.ts';

/** contract.md §9, `count_rows`: of queries only. */
export const countBody = Type.Object({
  model: Type.Literal('hogql'),
  ...queryFields,
  hogql_query: Type.String({ minLength: 1 }),
});

/** How many rows a download of the query would have. Throws `model_not_available` after everything else is right. */
export async function countRows(
  ports: Pick<ResourcePorts, 'clock' | 'gates' | 'readQuery'>,
  body: Static<typeof countBody>,
): Promise<number> {
  const { hogql_query: text, hogql_modifiers: modifiers = null } = body;
  const query = await readDownloadQuery(ports, text, modifiers as Record<string, unknown> | null);
  readBounds(body, query.placeholders, ports.clock.now());
  throw new SluiceError('model_not_available', {
    detail: 'Counting the rows of a query is not available in this version.',
  });
}
