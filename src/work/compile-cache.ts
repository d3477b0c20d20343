import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';

/**
 * For the environment of a process or thread of ours: compiled modules are kept for it as for this process, or its types
 * would be stripped at every start, 0.05 s of processor time. Empty where nothing is kept.
 */
export function compileCache(): Record<string, string> {
  const directory = getCompileCacheDir();
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}
