/** Named moments of deliveries and metrics, for tests that stop the process there. */
export const APP_STEPS = [
  'batch-stored',
  'batch-sending',
  'batch-sent',
  'batch-ended',
  'metrics-sent',
] as const;
export type AppStep = (typeof APP_STEPS)[number];
