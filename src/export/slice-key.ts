import type { RunContext } from './ports.ts';
import type { Slice } from './spec.ts';

/** A slice's file is numbered whenever there may be several. */
export function keyOf(context: RunContext, slice: Slice): string {
  const numbered = context.files.maxFileSizeMb !== null || slice.of > 1;
  return context.names.key(numbered ? slice.part : null);
}
