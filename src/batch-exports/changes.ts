import type { BatchExportRow } from '../database/tables.ts';
import { isUnreadable, secretsOf } from './destination.ts';
import type { ResourcePorts } from './ports.ts';
import { presentExport } from './present.ts';

export interface Change {
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Not changes that anybody made. */
const BY_ITSELF = ['last_updated_at', 'latest_runs'];

/**
 * What a write changed, for the activity log: the fields that the API shows, hence no secrets; of those it is only said
 * that they changed (`destination.secrets`, both sides null).
 */
export function changesBetween(
  ports: Pick<ResourcePorts, 'unseal'>,
  before: BatchExportRow,
  after: BatchExportRow,
): Change[] {
  const [old, now] = [presentExport(before, []), presentExport(after, [])] as Record<string, unknown>[];
  const shown = Object.keys(now ?? {}).flatMap((field) => {
    if (BY_ITSELF.includes(field)) return [];
    const change = { field, before: old?.[field] ?? null, after: now?.[field] ?? null };
    return sorted(change.before) === sorted(change.after) ? [] : [change];
  });
  return sameSecrets(ports, before, after)
    ? shown
    : [...shown, { field: 'destination.secrets', before: null, after: null }];
}

/** Those that cannot be read any more, their key being lost, stay until others take their place. */
function sameSecrets(
  ports: Pick<ResourcePorts, 'unseal'>,
  before: BatchExportRow,
  after: BatchExportRow,
): boolean {
  if (before.destination_sealed === after.destination_sealed) return true;
  try {
    return sorted(secretsOf(ports, before)) === sorted(secretsOf(ports, after));
  } catch (error) {
    if (isUnreadable(error)) return false;
    throw error;
  }
}

/** JSON whose keys do not depend on who wrote them. */
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
