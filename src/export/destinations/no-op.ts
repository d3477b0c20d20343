import { Type } from 'typebox';
import type { Destination } from './destination.ts';

/** Nowhere; contract.md §5. The loader is not written yet. */
export const noOp: Destination = {
  type: 'NoOp',
  title: 'Nowhere',
  config: Type.Object({ arg: Type.Optional(Type.String()) }),
  secretKeys: [],
  integration: null,
  check: () => null,
  files: () => null,
  testSteps: null,
  open: null,
};
