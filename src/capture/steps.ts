/**
 * The named moments of an insert of captured events: before anything is sent to the warehouse, and after it is stored
 * but not acknowledged yet. The fault tests stop the process at each of them.
 */
export const INSERT_STEPS = ['insert-started', 'insert-stored'] as const;

export type InsertStep = (typeof INSERT_STEPS)[number];
