import { Type } from 'typebox';
import type { Destination } from './destination.ts';

/** Nowhere; contract.md §5. For trying schedules and backfills: its runs take no rows. */
export const noOp: Destination = {
  type: 'NoOp',
  title: 'Nowhere',
  config: Type.Object({ arg: Type.Optional(Type.String()) }),
  secretKeys: [],
  integration: null,
  check: () => null,
  files: () => null,
  testSteps: null,
  takesNoRows: true,
  openEnded: true,
  open: null,
};
