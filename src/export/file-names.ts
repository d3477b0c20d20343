import type { Compression, FileOptions, RunSpec } from './spec.ts';

export interface FileNames {
  /** Key of file number `n`, or of what stands for the numbers of several; null = the only file of a run without a size limit. */
  key(n: number | string | null): string;
  readonly manifest: string;
  /** The manifest beside a file of the same run: another one when the run's prefix was another. */
  manifestBeside(key: string): string;
  /**
   * Whether a key is that of a numbered file of this run. Never without a size limit: numbered files of the same place
   * and interval are another export's, then, but for those that a lack of memory made.
   */
  owns(key: string): boolean;
  /** What the user should know about the prefix; null = nothing. */
  readonly warning: string | null;
}

/**
 * The keys of a run's files (engine.md §3): a function of the interval and the configuration alone, so that a
 * repeated run writes the same ones.
 */
export function fileNames(
  spec: Pick<RunSpec, 'interval' | 'model' | 'keySuffix'>,
  files: FileOptions,
): FileNames {
  const { start, end } = spec.interval;
  const suffix = spec.keySuffix ? `_${spec.keySuffix}` : '';
  const interval = `${start === null ? 'None' : isoTime(start)}-${isoTime(end)}${suffix}`;
  const prefix = fillPrefix(files.prefix, spec);
  const at = (name: string) => joinKey(prefix.text, name);
  const [first, last] = [at(interval), extension(files)];
  return {
    key: (n) => `${first}${n === null ? '' : `-${n}`}${last}`,
    owns: (key) =>
      files.maxFileSizeMb !== null &&
      key.startsWith(first) &&
      key.endsWith(last) &&
      /^-\d+$/.test(key.slice(first.length, -last.length)),
    manifest: at(`${interval}_manifest.json`),
    manifestBeside: (key) => joinKey(key.slice(0, key.lastIndexOf('/') + 1), `${interval}_manifest.json`),
    warning: prefix.warning,
  };
}

const CODEC_EXTENSIONS: Readonly<Record<Compression, string>> = {
  zstd: '.zst',
  lz4: '.lz4',
  snappy: '.sz',
  gzip: '.gz',
  brotli: '.br',
};

/** JSON Lines always name their codec; Parquet only for exports that always did (contract.md §5). */
export function extension(
  files: Pick<FileOptions, 'format' | 'compression' | 'legacyParquetExtension'>,
): string {
  const codec = files.compression ? CODEC_EXTENSIONS[files.compression] : '';
  if (files.format === 'JSONLines') return `.jsonl${codec}`;
  return files.legacyParquetExtension ? `.parquet${codec}` : '.parquet';
}

/** ISO 8601 in UTC with offset; a fraction only when there is one. */
function isoTime(ms: number): string {
  const [whole, fraction] = new Date(ms).toISOString().slice(0, -1).split('.') as [string, string];
  return `${whole}${fraction === '000' ? '' : `.${fraction}000`}+00:00`;
}

interface Filled {
  readonly text: string;
  readonly warning: string | null;
}

/** `{name}` is a variable, `{{` and `}}` are braces. Anything else leaves the whole prefix as it is, with a warning. */
function fillPrefix(prefix: string, spec: Pick<RunSpec, 'interval' | 'model'>): Filled {
  const variables = prefixVariables(spec);
  const unknown: string[] = [];
  const text = prefix.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (match, name: string | undefined) => {
    if (match === '{{' || match === '}}') return match.charAt(0);
    const value = name === undefined ? undefined : variables.get(name);
    if (value === undefined) unknown.push(match);
    return value ?? match;
  });
  if (unknown.length === 0) return { text, warning: null };
  const known = [...variables.keys()].map((name) => `{${name}}`).join(', ');
  return {
    text: prefix,
    warning: `The prefix is used as it is because it holds ${unknown.join(', ')}; known variables are ${known}.`,
  };
}

/** Parts of the interval's end, and the interval itself. */
function prefixVariables({ interval, model }: Pick<RunSpec, 'interval' | 'model'>): Map<string, string> {
  const end = isoTime(interval.end);
  return new Map([
    ['year', end.slice(0, 4)],
    ['month', end.slice(5, 7)],
    ['day', end.slice(8, 10)],
    ['hour', end.slice(11, 13)],
    ['minute', end.slice(14, 16)],
    ['second', end.slice(17, 19)],
    ['table', model],
    ['data_interval_start', interval.start === null ? 'START' : isoTime(interval.start)],
    ['data_interval_end', end],
  ]);
}

/**
 * The key of a file of another name below a prefix as it was configured, by the same rule as the files of runs. Up to the
 * directory of its first variable: what comes after depends on the interval.
 */
export function keyBelow(prefix: string, name: string): string {
  const plain = prefix.split('{')[0] ?? '';
  return joinKey(plain === prefix ? plain : plain.slice(0, plain.lastIndexOf('/') + 1), name);
}

/** One slash between the two and none in front; upstream leaves one in front of the manifest, away from its files. */
function joinKey(prefix: string, name: string): string {
  const joined = prefix === '' || prefix.endsWith('/') ? `${prefix}${name}` : `${prefix}/${name}`;
  return joined.replace(/^\//, '');
}
