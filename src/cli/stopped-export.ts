export interface StoppedExport {
  /** It had begun to write. */
  readonly begun: boolean;
  /** All that it had written was removed. */
  readonly takenBack: boolean;
  /** An earlier one had left files, which it was to replace. */
  readonly replacing: boolean;
}

/** For whoever stopped it. */
export function whatIsLeft({ begun, takenBack, replacing }: StoppedExport): string {
  if (!begun) return 'Stopped; nothing was written.';
  if (!takenBack) {
    return 'Stopped; some files of this export were left behind. The same command again replaces them.';
  }
  if (!replacing) return 'Stopped; nothing was left behind.';
  return (
    'Stopped. Files of the export before are still there, and some of them may have been replaced already: the same ' +
    'command again replaces them all.'
  );
}
