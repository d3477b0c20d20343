import { Type } from 'typebox';
import type { Destination } from './destination.ts';

/** Rows to a workflow; contract.md §5. The loader is not written yet. */
export const workflows: Destination = {
  type: 'Workflows',
  title: 'Workflows',
  config: Type.Object({ hog_function_id: Type.String() }),
  secretKeys: [],
  integration: null,
  check: () => null,
  files: () => null,
  testSteps: null,
  open: null,
};
