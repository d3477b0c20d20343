import { SluiceError } from '../../errors/error.ts';
import type { Query } from '../../export/models/hogql/check.ts';
import { checkModifiers, type Modifiers } from '../../export/models/hogql/modifiers.ts';
import type { ResourcePorts } from '../ports.ts';

/** The gate, then what is wrong with the query itself, then its modifiers (contract.md §1.8, §4.3). */
export async function readDownloadQuery(
  ports: Pick<ResourcePorts, 'gates' | 'readQuery'>,
  teamId: number,
  query: string | null,
  modifiers: Modifiers | null,
): Promise<Query> {
  if (!ports.gates.hogql) {
    throw new SluiceError('permission_denied', { detail: 'Exports of queries are not enabled here.' });
  }
  if (!query?.trim()) {
    const detail = 'The model "hogql" needs a query.';
    throw new SluiceError('invalid_input', { detail });
  }
  const read = await ports.readQuery(query, teamId);
  if (modifiers !== null) checkModifiers(modifiers);
  return read;
}
