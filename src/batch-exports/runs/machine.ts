/** The states and events of a run; docs/state-machines.md, "Run". */
export const RUN_STATES = [
  'Starting',
  'Running',
  'Completed',
  'Failed',
  'FailedRetryable',
  'Cancelled',
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Every status word a client may know or filter by (contract.md §3). */
export const RUN_STATUSES = [
  'Cancelled',
  'Completed',
  'ContinuedAsNew',
  'Failed',
  'FailedRetryable',
  'FailedBilling',
  'Terminated',
  'TimedOut',
  'Running',
  'Starting',
] as const;

export const RUN_EVENTS = [
  'claim',
  'plan',
  'retry',
  'replace',
  'complete',
  'fail',
  'give up',
  'cancel',
] as const;
export type RunEvent = (typeof RUN_EVENTS)[number];

/** `ignored`: nothing changes and nobody is told. `refused`: nothing changes and the caller gets an error. */
export type Transition<State> = State | 'ignored' | 'refused';

const FINAL: Record<RunEvent, Transition<RunState>> = {
  claim: 'ignored',
  plan: 'refused',
  retry: 'refused',
  replace: 'refused',
  complete: 'refused',
  fail: 'refused',
  'give up': 'refused',
  cancel: 'refused',
};

export const runMachine: Record<RunState, Record<RunEvent, Transition<RunState>>> = {
  Starting: {
    claim: 'Running',
    plan: 'refused',
    retry: 'refused',
    replace: 'refused',
    complete: 'refused',
    fail: 'refused',
    'give up': 'refused',
    cancel: 'Cancelled',
  },
  Running: {
    claim: 'Running',
    plan: 'Running',
    retry: 'Running',
    replace: 'Running',
    complete: 'Completed',
    fail: 'Failed',
    'give up': 'FailedRetryable',
    // Not one that is replacing files (cancel.ts).
    cancel: 'Cancelled',
  },
  Completed: FINAL,
  Failed: FINAL,
  FailedRetryable: FINAL,
  Cancelled: FINAL,
};

/** States from which `event` leads somewhere: what the `where` of its UPDATE must say. */
export function statesAccepting(event: RunEvent): RunState[] {
  return RUN_STATES.filter((state) => !['ignored', 'refused'].includes(runMachine[state][event]));
}

export const ACTIVE_RUN_STATES = ['Starting', 'Running'] as const satisfies readonly RunState[];
/** Planned runs in these states hold their rows: nobody else delivers them (R6). */
export const HOLDING_RUN_STATES = ['Starting', 'Running', 'Completed'] as const satisfies readonly RunState[];
