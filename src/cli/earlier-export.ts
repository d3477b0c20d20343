import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../errors/error.ts';
import { fileNames } from '../export/file-names.ts';
import type { FileOptions, RunSpec } from '../export/spec.ts';

/**
 * The keys that an earlier export of the same range left below `root` by its manifest, for this one to replace; none
 * where there is no manifest. Throws `bad_configuration` where it is another command's, unless `replace` is set.
 */
export function earlierKeys(
  root: string,
  spec: Pick<RunSpec, 'runId' | 'interval' | 'model'>,
  files: FileOptions,
  replace: boolean,
): readonly string[] {
  const key = fileNames(spec, files).manifest;
  const path = join(root, key);
  const found = manifestAt(path);
  if (found === null) return [];
  if (found.run_id !== spec.runId && !replace) {
    throw new SluiceError('bad_configuration', {
      detail:
        `${path} is of another export: another project, other options, or this directory was elsewhere. ` +
        'Choose another --to-dir, or give --replace to remove the files it names.',
    });
  }
  // Whatever stands in it, it names files of its own range.
  const own = key.slice(0, -'_manifest.json'.length);
  const keys: readonly unknown[] = Array.isArray(found.files) ? found.files : [];
  return keys.filter((one) => typeof one === 'string').filter((one) => one.startsWith(own));
}

/** Null = none; an empty one for a file that is no manifest. */
function manifestAt(path: string): { readonly run_id?: unknown; readonly files?: unknown } | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : {};
  }
}
