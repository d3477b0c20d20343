import type { Transition } from '../runs/machine.ts';

/** The states and events of a backfill; docs/state-machines.md, "Backfill". */
export const BACKFILL_STATES = ['Starting', 'Running', 'Completed', 'Failed', 'Cancelled'] as const;
export type BackfillState = (typeof BACKFILL_STATES)[number];

export const BACKFILL_EVENTS = ['begin', 'finish', 'cancel', 'fail'] as const;
export type BackfillEvent = (typeof BACKFILL_EVENTS)[number];

const FINAL: Record<BackfillEvent, Transition<BackfillState>> = {
  begin: 'ignored',
  finish: 'refused',
  cancel: 'refused',
  fail: 'refused',
};

export const backfillMachine: Record<BackfillState, Record<BackfillEvent, Transition<BackfillState>>> = {
  Starting: { begin: 'Running', finish: 'Completed', cancel: 'Cancelled', fail: 'Failed' },
  Running: { begin: 'ignored', finish: 'Completed', cancel: 'Cancelled', fail: 'Failed' },
  Completed: FINAL,
  Failed: FINAL,
  Cancelled: FINAL,
};

export const ACTIVE_BACKFILL_STATES = ['Starting', 'Running'] as const satisfies readonly BackfillState[];
