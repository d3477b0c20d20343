import { SluiceError } from '../errors/error.ts';
import type { Actor } from '../http/actor.ts';
import { createIntegration, type IntegrationPorts, openIntegration } from './integrations.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Null = Amazon's own. */
  readonly endpoint: string | null;
}

/**
 * The number of the project's integration that holds exactly this access key; made when there is none (contract.md §14).
 * Throws `invalid_input` as `createIntegration` does.
 */
export async function integrationOfKey(
  ports: IntegrationPorts,
  actor: Actor,
  key: AccessKey,
): Promise<number> {
  const kind = key.endpoint === null ? 'aws-s3' : 's3-compatible';
  const rows = await ports.db
    .selectFrom('integrations')
    .select(['id', 'identity'])
    .where('team_id', '=', actor.teamId)
    .where('kind', '=', kind)
    .orderBy('id')
    .execute();
  for (const { id } of rows) if (await holds(ports, actor.teamId, id, key)) return id;
  const taken = new Set(rows.map(({ identity }) => identity));
  const name = `S3 ${key.accessKeyId.trim().slice(0, 100)}`;
  let free = name;
  for (let n = 2; taken.has(free); n += 1) free = `${name} (${n})`;
  const config = {
    name: free,
    aws_access_key_id: key.accessKeyId,
    aws_secret_access_key: key.secretAccessKey,
    ...(key.endpoint === null ? {} : { endpoint_url: key.endpoint }),
  };
  return (await createIntegration(ports, actor, { kind, config })).id;
}

async function holds(ports: IntegrationPorts, teamId: number, id: number, key: AccessKey): Promise<boolean> {
  try {
    const found = await openIntegration(ports, teamId, id);
    return (
      found?.secrets.aws_access_key_id === key.accessKeyId.trim() &&
      found.secrets.aws_secret_access_key === key.secretAccessKey.trim() &&
      (found.config.endpoint_url ?? null) === (key.endpoint?.trim() ?? null)
    );
  } catch (error) {
    // Sealed with a key that is gone: it cannot be used, so it is not the one.
    if (error instanceof SluiceError && error.code === 'secret_unreadable') return false;
    throw error;
  }
}
