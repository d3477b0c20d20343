import { SluiceError } from '../../errors/error.ts';
import type { Gates } from '../ports.ts';

const KNOWN = ['data_interval_start', 'data_interval_end'];

/** Names in braces in a query. */
export const placeholdersIn = (query: string): readonly string[] =>
  [...query.matchAll(/\{\s*([^{}]*?)\s*\}/g)].map(([, name = '']) => name);

/** The gate, then what is wrong with the query itself (contract.md §1.8, §4.3). */
export function checkDownloadQuery(query: string | null, gates: Gates): void {
  if (!gates.hogql) {
    throw new SluiceError('permission_denied', { detail: 'Exports of queries are not enabled here.' });
  }
  const attr = 'hogql_query';
  if (!query?.trim()) {
    throw new SluiceError('invalid_input', { attr, detail: 'The model "hogql" needs a query.' });
  }
  const unknown = placeholdersIn(query).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) {
    const detail = `Unknown placeholder {${unknown}}; there are ${KNOWN.join(' and ')}.`;
    throw new SluiceError('invalid_input', { attr, detail });
  }
}
