import { type Static, Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import type { ResourcePorts } from '../ports.ts';
import { queryFields, readBounds } from './body.ts';
import { checkDownloadQuery, placeholdersIn } from './query.ts';

/** contract.md §9, `count_rows`: of queries only. */
export const countBody = Type.Object({
  model: Type.Literal('hogql'),
  ...queryFields,
  hogql_query: Type.String({ minLength: 1 }),
});

/** How many rows a download of the query would have. Throws `model_not_available` after everything else is right. */
export function countRows(
  ports: Pick<ResourcePorts, 'clock' | 'gates'>,
  body: Static<typeof countBody>,
): number {
  checkDownloadQuery(body.hogql_query, ports.gates);
  const used = placeholdersIn(body.hogql_query);
  const bounds = (['data_interval_start', 'data_interval_end'] as const).filter((name) =>
    used.includes(name),
  );
  readBounds(body, bounds, ports.clock.now());
  throw new SluiceError('model_not_available', {
    detail: 'Counting the rows of a query is not available in this version.',
  });
}
