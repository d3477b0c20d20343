/**
 * The named moments around the writes of a run's state, told to `onStep` like those of the export itself
 * (export/steps.ts). The fault tests stop the process at each of them.
 */
export const RUN_STEPS = ['run-claimed', 'run-planned', 'run-finishing', 'run-finished'] as const;

export type RunStep = (typeof RUN_STEPS)[number];
