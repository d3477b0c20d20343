/** Longer than any interval of a schedule, the week in which the clocks go back included. Only all of history, without a start, is longer. */
export const LONGEST_INTERVAL_MS = 8 * 86_400_000;
