import type { Outcome } from './outcome.ts';
import type { FileOptions, RunSpec } from './spec.ts';

export const MANIFEST_TYPE = 'application/json';

/**
 * Whether a run writes a manifest (engine.md §3): always with a size limit, always with several files, and
 * always in a directory, where nothing else tells a finished run from one in progress.
 */
export function wantsManifest(
  { destination }: { readonly destination: Pick<RunSpec['destination'], 'type'> },
  files: Pick<FileOptions, 'maxFileSizeMb'>,
  count: number,
): boolean {
  return files.maxFileSizeMb !== null || count > 1 || destination.type === 'Filesystem';
}

/** Whether `body` is a manifest that one of these runs wrote. */
export function isManifestOf(body: Buffer, runIds: readonly string[]): boolean {
  try {
    const { run_id: runId } = JSON.parse(body.toString()) as { run_id?: unknown };
    return typeof runId === 'string' && runIds.includes(runId);
  } catch {
    return false;
  }
}

/** The keys of the files that a manifest lists; none when it lists them in no way that we know. */
export function keysIn(body: Buffer): string[] {
  const { files } = JSON.parse(body.toString()) as { files?: unknown };
  return Array.isArray(files) ? files.filter((key) => typeof key === 'string') : [];
}

/** `files` is upstream's; the rest is ours: what the files hold and the proof of it. */
export function manifest(spec: RunSpec, files: FileOptions, outcome: Outcome): Buffer {
  const { start, end } = spec.interval;
  const body = {
    files: outcome.files.map(({ key }) => key),
    model: spec.model,
    format: files.format,
    compression: files.compression,
    data_interval_start: start === null ? null : new Date(start).toISOString(),
    data_interval_end: new Date(end).toISOString(),
    run_id: spec.runId,
    rows: outcome.rows,
    bytes: outcome.bytes,
    cleaned: outcome.cleaned,
    proof: outcome.proof,
  };
  return Buffer.from(`${JSON.stringify(body, null, 2)}\n`);
}
