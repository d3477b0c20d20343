import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Log } from '../../work/log.ts';
import type { DeliveryPorts as AppPorts } from '../catalogue/app.ts';
import type { AppsPorts } from '../ports.ts';
import type { AppStep } from '../steps.ts';
import type { Backoff, Patience } from './backoff.ts';
import type { Memory } from './memory.ts';

/** What delivering needs. */
export interface DeliverPorts extends AppsPorts {
  readonly warehouse: Pick<Warehouse, 'rows'>;
  /** Whether the warehouse has `events` on one node alone, so that no query sees fewer rows than one before it. */
  readonly oneCopy: () => Promise<boolean>;
  readonly log: Log;
  readonly random: () => number;
  /** What apps get to send with. */
  readonly appPorts: AppPorts;
  readonly counters: Counters;
  readonly onStep: (step: AppStep) => void;
  readonly backoff: Backoff;
  readonly historicalPatience: Patience;
  /** Of the process. */
  readonly memory: Memory;
}

/** For /metrics. */
export interface Counters {
  readonly delivered: (events: number) => void;
  readonly failed: (events: number) => void;
  readonly attemptFailed: () => void;
  readonly failing: (change: 1 | -1) => void;
  readonly unwritten: (rows: number) => void;
}

/** Arrival time below which nothing can appear any more, microseconds since the epoch. */
export interface Tide {
  readonly micros: number;
}
