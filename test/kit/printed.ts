import { vi } from 'vitest';

/** What is written to stdout and stderr while `work` is done, which writes nothing there itself. */
export async function printedBy(work: () => Promise<unknown>): Promise<string> {
  let printed = '';
  const silent = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    }),
  );
  try {
    await work();
  } finally {
    for (const one of silent) one.mockRestore();
  }
  return printed;
}
