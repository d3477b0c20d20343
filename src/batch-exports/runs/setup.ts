import type { DestinationSetup } from '../../export/spec.ts';
import { wholeConfig } from '../destination.ts';
import type { Db, ResourcePorts } from '../ports.ts';
import type { ClaimedRun } from './store.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface SetupPorts extends Pick<ResourcePorts, 'unseal'> {
  readonly db: Db;
  /** An integration of the team with its secrets; null when there is none any more. */
  readonly openIntegration: (
    teamId: number,
    id: number,
  ) => Promise<{ readonly config: Fields; readonly secrets: Fields } | null>;
  /** The folder of the files root that the team writes to; null = the root itself. */
  readonly filesFolder: (teamId: number) => Promise<string | null>;
}

/**
 * Where a run writes to: its destination's config as it was when the run was created, with the secrets and the
 * integration as they are now. Throws `secret_unreadable`. Never log what it returns.
 */
export async function currentSetup(
  { db, unseal, openIntegration, filesFolder }: SetupPorts,
  { exportId, teamId, snapshot }: Pick<ClaimedRun, 'exportId' | 'teamId' | 'snapshot'>,
): Promise<DestinationSetup> {
  const row = await db
    .selectFrom('batch_exports')
    .select(['id', 'destination_sealed'])
    .where('id', '=', exportId)
    .executeTakeFirstOrThrow();
  const { type, integrationId, config: stored } = snapshot.destination;
  const opened = integrationId === null ? null : await openIntegration(teamId, integrationId);
  return {
    type,
    config: wholeConfig({ unseal }, { ...row, destination_config: stored }),
    integration: { ...opened?.config, ...opened?.secrets },
    folder: await filesFolder(teamId),
  };
}
