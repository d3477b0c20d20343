import { SluiceError } from '../errors/error.ts';
import type { ResourcePorts } from './ports.ts';
import type { WriteBody } from './schema.ts';

/** What was found out about the query that an export will have. `outputs` null = its columns are not known. */
export interface ReadQuery {
  readonly outputs: ReadonlySet<string> | null;
  /** What is wrong with it, to be thrown when its turn among the checks has come. */
  readonly problem: SluiceError | null;
}

const TOUCHES = ['hogql_query', 'primary_key', 'version_key'] as const;

/**
 * Reads the query of a body, or the stored one that its keys must fit. Null when there is nothing to read. Call it outside of
 * transactions: reading may take seconds, and on the embedded database everybody would wait.
 */
export async function readExportQuery(
  ports: Pick<ResourcePorts, 'readQuery'>,
  teamId: number,
  body: WriteBody,
  stored: { readonly model: string; readonly hogql_query: string | null } | null,
): Promise<ReadQuery | null> {
  const model = stored?.model ?? body.model;
  if (model !== 'hogql' || !TOUCHES.some((key) => body[key] !== undefined)) return null;
  const text = body.hogql_query ?? stored?.hogql_query;
  if (!text?.trim()) return null;
  try {
    const { outputs } = await ports.readQuery(text, teamId);
    return { outputs, problem: null };
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'invalid_input')
      return { outputs: null, problem: error };
    throw error;
  }
}
