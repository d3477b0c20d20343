/** The states and events of a historical export; docs/state-machines.md, "Historical export". */
export const HISTORICAL_EXPORT_STATES = ['Starting', 'Running', 'Completed', 'Failed'] as const;
export type HistoricalExportState = (typeof HISTORICAL_EXPORT_STATES)[number];

export const HISTORICAL_EXPORT_EVENTS = ['count', 'deliver', 'complete', 'fail'] as const;
export type HistoricalExportEvent = (typeof HISTORICAL_EXPORT_EVENTS)[number];

type Transition = HistoricalExportState | 'ignored' | 'refused';

const FINAL: Record<HistoricalExportEvent, Transition> = {
  count: 'refused',
  deliver: 'refused',
  complete: 'refused',
  fail: 'ignored',
};

export const historicalExportMachine: Record<
  HistoricalExportState,
  Record<HistoricalExportEvent, Transition>
> = {
  Starting: { count: 'Running', deliver: 'refused', complete: 'refused', fail: 'Failed' },
  Running: { count: 'Running', deliver: 'Running', complete: 'Completed', fail: 'Failed' },
  Completed: FINAL,
  Failed: FINAL,
};

/** States from which `event` leads somewhere: what the `where` of its UPDATE must say. */
export function statesAccepting(event: HistoricalExportEvent): HistoricalExportState[] {
  return HISTORICAL_EXPORT_STATES.filter(
    (state) => !['ignored', 'refused'].includes(historicalExportMachine[state][event]),
  );
}

/** States in which there is something left to do. */
export const ACTIVE_STATES = ['Starting', 'Running'] as const satisfies readonly HistoricalExportState[];
