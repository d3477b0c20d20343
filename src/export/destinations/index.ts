import type { Destination } from './destination.ts';
import { filesystem } from './filesystem.ts';

/** Every destination there is; a new one is a file beside this one and a line here. */
export const destinations: readonly Destination[] = [filesystem];

/** The destination of a type, or undefined; contract.md §3 lists the types. */
export function destinationOf(type: string): Destination | undefined {
  return destinations.find((destination) => destination.type === type);
}
