import type { FileOptions, RunSpec } from './spec.ts';

/**
 * What a run writes into its export's log, for the person who looks after it (engine.md §6 lists when). One sentence
 * each, with the numbers.
 */
export const runLog = {
  started: (spec: RunSpec, files: FileOptions) =>
    `Exporting ${spec.model} of ${interval(spec)} to ${spec.destination.type} as ${files.format}` +
    `${files.compression ? ` (${files.compression})` : ''}.`,
  nothing: (spec: RunSpec) => `No ${spec.model} to export in ${interval(spec)}.`,
  planned: (rows: number, files: number) =>
    `Found ${count(rows, 'record')}, writing ${count(files, 'file')}.`,
  resumed: (files: number, rows: number) =>
    `Continuing where an earlier attempt stopped: ${count(files, 'file')} with ${count(rows, 'record')} are done.`,
  duplicates: (where: 'some' | 'many') =>
    `${where === 'some' ? 'Some' : 'Many'} events are stored more than once; each is exported once.`,
  fileWritten: (key: string, rows: number, bytes: number) =>
    `Wrote ${key}: ${count(rows, 'record')}, ${count(bytes, 'byte')}.`,
  splitForMemory: (key: string) =>
    `The warehouse has too little memory for ${key}; it is split into two files.`,
  splitForSize: (key: string, bytes: number, limitMb: number) =>
    `${key} would have ${count(bytes, 'byte')}, more than ${limitMb} MiB; it is split into two files.`,
  verified: (rows: number) =>
    `Read back from the destination: ${count(rows, 'record')}, the same as at the source.`,
  cleaned: (rows: number) =>
    `${count(rows, 'record')} had properties that are not valid JSON; they were mended or exported as text.`,
  manifest: (key: string) => `Wrote the manifest ${key}.`,
  removed: (files: number) => `Removed ${count(files, 'file')} of the run that this one replaces.`,
  left: (keys: readonly string[]) =>
    `Not removed, because it may be another export's by now: ${keys.slice(0, 3).join(', ')}` +
    `${keys.length > 3 ? ` and ${count(keys.length - 3, 'other file')}` : ''}.`,
  finished: (rows: number, bytes: number, seconds: number) =>
    `Exported ${count(rows, 'record')}, ${count(bytes, 'byte')}, in ${seconds.toFixed(1)} s.`,
  notCleared: (why: string) => `Not everything that the run had written could be removed: ${why}`,
  notSwept: (why: string) =>
    `What earlier attempts staged and nobody will finish may still be at the destination: ${why}`,
  cancelled: () => 'The run was cancelled; what it had written was removed.',
} as const;

function interval({ interval: { start, end } }: RunSpec): string {
  const from = start === null ? 'the beginning' : new Date(start).toISOString();
  return `${from} to ${new Date(end).toISOString()}`;
}

/** Digits in groups of three, by a space: no reader takes it for a decimal sign. */
function count(n: number, noun: string): string {
  const digits = String(n).replace(/\B(?=(\d{3})+$)/g, ' ');
  return `${digits} ${noun}${n === 1 ? '' : 's'}`;
}
