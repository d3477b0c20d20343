import { lockProject } from '../../database/lock-project.ts';
import { SluiceError } from '../../errors/error.ts';
import { FILE_DOWNLOAD } from '../../export/destinations/file-download.ts';
import type { Actor, ResourcePorts, Trx } from '../ports.ts';
import { createRuns } from '../runs/create.ts';
import { record } from '../service.ts';
import { insertExport } from '../store.ts';
import { type DownloadBody, readDownload } from './body.ts';
import { countActive } from './store.ts';

/** No schedule has it: an export of this interval never has another run. */
const ON_DEMAND = 'on demand';

/**
 * Creates a download: an export without a schedule and its only run, both with the id that is returned. Throws the first
 * problem of the body, or `too_many_concurrent_file_downloads` (contract.md §9.1).
 */
export async function createDownload(
  ports: ResourcePorts,
  actor: Actor,
  body: DownloadBody,
): Promise<string> {
  const wanted = await readDownload(ports, actor.teamId, body);
  const arrivalBefore = await ports.arrivedBefore(actor.teamId);
  const now = ports.clock.now();
  const id = ports.newId();
  const end = wanted.end ?? now;
  await ports.db.transaction().execute(async (trx) => {
    await checkLimit(trx, ports, actor.teamId);
    const row = await insertExport(trx, {
      id,
      team_id: actor.teamId,
      name: 'File download',
      model: wanted.model,
      destination_type: FILE_DOWNLOAD,
      destination_config: JSON.stringify({ ...wanted.config, prefix: id }),
      hogql_query: wanted.query,
      hogql_modifiers: wanted.modifiers && JSON.stringify(wanted.modifiers),
      interval: ON_DEMAND,
      // The schedule has nothing to do with it.
      paused: true,
      next_interval_start: new Date(end),
      created_by: actor.userId,
      last_modified_by: actor.userId,
      created_at: new Date(now),
      last_updated_at: new Date(now),
    });
    const interval = { start: wanted.start, end };
    const options = { now, backfillId: null, arrivalBefore };
    await createRuns(trx, { ...ports, newId: () => id }, row, [interval], options);
    const { data_interval_start: from = null, data_interval_end: to = null } = body;
    await record(trx, ports, actor, row, 'file_download_created', { model: wanted.model, from, to });
  });
  return id;
}

async function checkLimit(trx: Trx, ports: ResourcePorts, teamId: number): Promise<void> {
  await lockProject(trx, teamId);
  if ((await countActive(trx, teamId)) < ports.downloads.most) return;
  throw new SluiceError('too_many_concurrent_file_downloads');
}
