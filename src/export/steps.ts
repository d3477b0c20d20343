/**
 * The named moments of a run, in order, told to `RunObserver.step`. The fault tests stop the process at each of
 * them; whatever the moment, another attempt must end with the same files.
 */
export const STEPS = [
  'claimed',
  'planned',
  'slice-started',
  'slice-staged',
  'slice-recorded',
  'publishing',
  'published-one',
  'published',
  'verified',
  'manifest-written',
  'replaced-removed',
  'swept',
] as const;

export type Step = (typeof STEPS)[number];
