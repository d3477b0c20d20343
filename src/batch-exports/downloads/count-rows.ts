import { type Static, Type } from 'typebox';
import type { Modifiers } from '../../export/models/hogql/modifiers.ts';
import type { Project } from '../../http/endpoint.ts';
import type { ResourcePorts } from '../ports.ts';
import { queryFields, readBounds } from './body.ts';
import { readDownloadQuery } from './query.ts';

/** contract.md §9, `count_rows`: of queries only. */
export const countBody = Type.Object({
  model: Type.Literal('hogql'),
  ...queryFields,
  hogql_query: Type.String({ minLength: 1 }),
});

/** How many rows a download of the query would have. Throws what is wrong with the body, or `timeout_exceeded`. */
export async function countRows(
  ports: Pick<ResourcePorts, 'clock' | 'gates' | 'readQuery' | 'countRows'>,
  project: Pick<Project, 'id' | 'timezone'>,
  body: Static<typeof countBody>,
  signal: AbortSignal,
): Promise<number> {
  const { hogql_query: text, hogql_modifiers: modifiers = null } = body;
  const query = await readDownloadQuery(ports, project.id, text, modifiers as Modifiers | null);
  const bounds = readBounds(body, query.placeholders, ports.clock.now());
  return ports.countRows(query, { teamId: project.id, timezone: project.timezone, ...bounds }, signal);
}
