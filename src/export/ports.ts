import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import type { FileTarget } from './destinations/destination.ts';
import type { FileNames } from './file-names.ts';
import type { Format } from './formats/format.ts';
import type { Source } from './models/events.ts';
import type { Ledger, Outcome, ReplacedFile, RunObserver } from './outcome.ts';
import type { FileOptions, RunSpec, Tally } from './spec.ts';
import type { Step } from './steps.ts';

export interface FormerPlace {
  readonly target: Pick<FileTarget, 'fileOf' | 'get' | 'holds' | 'remove'>;
  /** As `Ledger.replaced`, of what lies there. */
  replaced(): Promise<readonly ReplacedFile[]>;
}

/** What one run of the engine works with. */
export interface ExportPorts {
  readonly warehouse: Warehouse;
  readonly target: FileTarget;
  /** Where runs that this one repeats may have written in earlier versions; absent = nowhere else. */
  readonly former?: FormerPlace | undefined;
  /** Null = the destination takes no files, which no engine can do yet. */
  readonly files: FileOptions | null;
  readonly ledger: Ledger;
  readonly observer: RunObserver;
  readonly clock: Clock;
  /** Aborts with a SluiceError that says why: `run_cancelled`, `run_superseded`, `unavailable`. */
  readonly signal: AbortSignal;
  /** The claim's attempt, from 1. */
  readonly attempt: number;
  /** A directory on this machine for files on their way to a target that is elsewhere; null = bytes pass through. */
  readonly spool: string | null;
  /** Read every published file back, even one that was read here before it was sent on. */
  readonly readBack: boolean;
  /** What the run holds at the source, when somebody has counted it already and no row is stored twice. */
  readonly counted?: Tally | null;
  /** Stores the outcome. When it refuses (the run was cancelled meanwhile), what was published is taken back. */
  readonly commit?: (outcome: Outcome) => Promise<void>;
}

/** A run in progress: its ports and everything fixed at its start. */
export interface RunContext extends Omit<ExportPorts, 'files'> {
  readonly spec: RunSpec;
  readonly files: FileOptions;
  readonly names: FileNames;
  readonly format: Format;
  readonly source: Source;
  step(step: Step): void;
}
