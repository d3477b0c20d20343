import { SluiceError } from '../errors/error.ts';
import { fileNames } from './file-names.ts';
import { formatOf } from './formats/index.ts';
import { MANIFEST_TYPE, manifest, wantsManifest } from './manifest.ts';
import { eventsSource } from './models/events.ts';
import type { LedgerEntry, Outcome, ReplacedFile } from './outcome.ts';
import { planSlices } from './plan.ts';
import type { ExportPorts, RunContext } from './ports.ts';
import { allStale, hasStale, removeStale } from './replace.ts';
import type { Reread } from './reread/count.ts';
import { forgetAll, resume } from './resume.ts';
import { runLog } from './run-log.ts';
import type { RunSpec, Tally } from './spec.ts';
import { stageAll } from './stage.ts';
import { type Delivered, verify } from './verify.ts';
import { withdraw } from './withdraw.ts';

/**
 * One run of one export, from counting at the source to the removal of leftovers (design.md, "A run, precisely").
 * May be started again after any crash: what the ledger holds is not done twice.
 *
 * When it fails, what it staged stays for the next attempt, unless that must start afresh (verification failed), a
 * person must act first, or the run was cancelled: then all that it made is removed (`withdraw`). A run that
 * another worker took over removes only what this very attempt left, and so does one that failed of a bug. What a run
 * has published stays once it has begun to remove what it replaces. Throws SluiceErrors; an abort throws the signal's
 * reason.
 */
export async function runExport(spec: RunSpec, ports: ExportPorts): Promise<Outcome> {
  const context = begin(spec, ports);
  try {
    const outcome = await deliver(context);
    await ports.commit?.(outcome);
    return outcome;
  } catch (thrown) {
    throw await afterFailure(context, ports.signal.aborted ? ports.signal.reason : thrown);
  }
}

/**
 * Removes what the next attempt must not find, and of a bug what nobody may come back for; answers with what the run
 * failed of.
 */
async function afterFailure(context: RunContext, error: unknown): Promise<unknown> {
  let failed = error;
  if (error instanceof SluiceError && error.kind !== 'bug' && error.code !== 'run_superseded') {
    if (error.kind !== 'user' && error.code !== 'verification_failed') return error;
    const superseded = await clearAway(context, error);
    // Its sweep of our staged file may be the very reason why ours failed.
    if (superseded === null) return error;
    failed = superseded;
  }
  await removeOwnLeftovers(context);
  return failed;
}

/**
 * What this attempt staged and no ledger knows, be it after a newer one had swept. What the ledger holds is the newer
 * one's, whoever staged it; when that has ended, it is published and has another name.
 */
async function removeOwnLeftovers(context: RunContext): Promise<void> {
  const { ledger, target } = context;
  try {
    const entries = await ledger.entries();
    await target.discardOwn(entries.map(({ staged }) => staged));
  } catch (error) {
    notCleared(context, error);
  }
}

/**
 * Takes back what the run made, or answers that a newer attempt has it. Must not hide why the run failed: what cannot be
 * removed is left to the next attempt or a repeated run.
 */
async function clearAway(context: RunContext, why: SluiceError): Promise<SluiceError | null> {
  const { ledger, observer, spec } = context;
  try {
    // What it replaces may be gone: the files that it published stay, and whoever repeats it replaces them.
    if (why.code !== 'verification_failed' && (await ledger.isReplacing())) {
      await removeOwnLeftovers(context);
      return null;
    }
    const kept = await withdraw(spec, context);
    if (why.code === 'run_cancelled') observer.log('WARNING', runLog.cancelled());
    if (why.code === 'verification_failed') await forgetAll(context.ledger, kept);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'run_superseded') return error;
    notCleared(context, error);
  }
  return null;
}

function notCleared({ observer }: RunContext, error: unknown): void {
  observer.log('WARNING', runLog.notCleared(error instanceof Error ? error.message : String(error)));
}

/** Everything that is fixed before the first query. Throws what a person must correct. */
function begin(spec: RunSpec, ports: ExportPorts): RunContext {
  if (spec.model !== 'events') {
    const detail = `Exporting ${spec.model} is not available in this version.`;
    throw new SluiceError('model_not_available', { detail });
  }
  const { files } = ports;
  if (!files) throw new SluiceError('destination_not_available');
  const step: RunContext['step'] = (name) => ports.observer.step(name);
  return {
    ...ports,
    spec,
    files,
    step,
    names: fileNames(spec, files),
    format: formatOf(files),
    source: eventsSource(spec),
  };
}

async function deliver(context: RunContext): Promise<Outcome> {
  const { clock, files, ledger, names, observer, signal, spec } = context;
  const startedAt = clock.now();
  context.step('claimed');
  observer.log('INFO', runLog.started(spec, files));
  if (names.warning) observer.log('WARNING', names.warning);

  const { done, lost } = await resume(context);
  const plan = await planSlices(context, done, lost);
  observer.planned(plan.source.rows);
  context.step('planned');
  const previous = await ledger.replaced();
  if (plan.source.rows === 0) {
    observer.log('INFO', runLog.nothing(spec));
    if (done.length > 0) await withdraw(spec, context);
    return finish(context, { ...NOTHING, proof: emptyProof(plan.source) }, previous, startedAt);
  }
  observer.log('INFO', runLog.planned(plan.source.rows, done.length + plan.work.length));
  if (plan.duplicates !== 'none') observer.log('INFO', runLog.duplicates(plan.duplicates));

  const entries = [...done];
  const rereads = new Map<LedgerEntry, Reread>();
  const progress = () => observer.progress({ rows: sum(entries, 'rows'), bytes: sum(entries, 'bytes') });
  if (done.length > 0) progress();
  await stageAll(context, plan.work, plan.duplicates, ({ entry, reread }) => {
    entries.push(entry);
    if (reread) rereads.set(entry, reread);
    progress();
  });

  signal.throwIfAborted();
  await ledger.assertOwned();
  const delivered = await publishAll(context, entries, rereads);
  const { proof, cleaned } = await verify(context, plan.source, delivered);
  context.step('verified');
  observer.log('INFO', runLog.verified(proof.reread.rows));
  if (cleaned > 0) observer.log('WARNING', runLog.cleaned(cleaned));
  const outcome: Outcome = {
    files: delivered.map(({ entry, published }) => ({
      key: published.key,
      bytes: published.bytes,
      rows: entry.rows,
    })),
    rows: sum(entries, 'rows'),
    bytes: sum(entries, 'bytes'),
    cleaned,
    proof,
  };
  return finish(context, outcome, previous, startedAt);
}

/** One after the other in the order of their numbers; a crash in between leaves the rest to the next attempt. */
async function publishAll(
  context: RunContext,
  entries: readonly LedgerEntry[],
  rereads: ReadonlyMap<LedgerEntry, Reread>,
): Promise<Delivered[]> {
  context.step('publishing');
  const delivered: Delivered[] = [];
  for (const entry of entries.toSorted((a, b) => a.slice.part - b.slice.part)) {
    const published = await context.target.publish(entry.staged, context.signal);
    delivered.push({ entry, published, reread: rereads.get(entry) ?? null });
    context.step('published-one');
  }
  context.step('published');
  return delivered;
}

/**
 * The manifest, then what the run replaces, then what earlier attempts left. A run that removes what it replaces says so
 * first, and goes to its end: taken back after that, it would leave neither its own files nor the older ones.
 */
async function finish(
  context: RunContext,
  outcome: Outcome,
  previous: readonly ReplacedFile[],
  startedAt: number,
): Promise<Outcome> {
  const { clock, files, ledger, names, observer, spec, target } = context;
  const keys = outcome.files.map(({ key }) => key);
  const listed = keys.length > 0 && wantsManifest(spec, files, keys.length);
  const own = listed ? [...keys, names.manifest] : keys;
  const stale = await allStale(context, previous, own);
  context.signal.throwIfAborted();
  if (hasStale(stale)) await ledger.beginReplacing();
  else if (keys.length > 0) await ledger.assertOwned();
  if (listed) {
    await target.put(names.manifest, manifest(spec, files, outcome), MANIFEST_TYPE);
    observer.log('INFO', runLog.manifest(names.manifest));
    context.step('manifest-written');
  }
  const { removed, left } = await removeStale(stale);
  if (removed > 0) observer.log('INFO', runLog.removed(removed));
  if (left.length > 0) observer.log('WARNING', runLog.left(left));
  context.step('replaced-removed');
  if (keys.length > 0) await sweepAll(context, [...keys, names.manifest]);
  context.step('swept');
  observer.log('INFO', runLog.finished(outcome.rows, outcome.bytes, (clock.now() - startedAt) / 1000));
  return outcome;
}

/** What cannot be swept, or looked for, is no reason to fail a run whose files are there and verified. */
async function sweepAll(
  { names, observer, signal, spec, target }: RunContext,
  keys: string[],
): Promise<void> {
  try {
    await target.sweep(spec.runId, Number.POSITIVE_INFINITY, keys, [], names.owns, signal);
  } catch (error) {
    signal.throwIfAborted();
    observer.log('WARNING', runLog.notSwept(error instanceof Error ? error.message : String(error)));
  }
}

const NOTHING = { files: [], rows: 0, bytes: 0, cleaned: 0 } as const;

const emptyProof = (source: Tally): Outcome['proof'] => ({ source, written: source, reread: source });

function sum(entries: readonly LedgerEntry[], field: 'rows' | 'bytes'): number {
  return entries.reduce((total, entry) => total + entry[field], 0);
}
