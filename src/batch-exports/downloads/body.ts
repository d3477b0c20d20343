import { type Static, Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { checkFileOptions } from '../../export/destinations/file-options.ts';
import { PLACEHOLDERS } from '../../export/models/hogql/check.ts';
import type { Modifiers } from '../../export/models/hogql/modifiers.ts';
import type { ResourcePorts } from '../ports.ts';
import { choice, MODELS, type ModelName, nullable } from '../schema.ts';
import { readDownloadQuery } from './query.ts';

const names = (description: string) => Type.Optional(Type.Array(Type.String(), { description }));
const bound = (description: string) =>
  Type.Optional(nullable(Type.String({ format: 'date-time', description })));

/** Everything that describes what is asked for; `count_rows` takes the part that a query needs. */
export const queryFields = {
  hogql_query: Type.Optional(nullable(Type.String({ description: 'Only with model `hogql`.' }))),
  hogql_modifiers: Type.Optional(nullable(Type.Object({}, { additionalProperties: true }))),
  data_interval_start: bound('Rows since this moment; at most 7 days before the end.'),
  data_interval_end: bound('Rows before this moment.'),
};

/** contract.md §9.1, in declared order. */
export const downloadBody = Type.Object(
  {
    file: Type.Object({
      format: Type.Optional(choice(['Parquet', 'JSONLines'], { default: 'Parquet' })),
      compression: Type.Optional(nullable(choice(['zstd', 'gzip', 'brotli', 'lz4', 'snappy']))),
      max_size_mb: Type.Optional(
        Type.Union([Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), Type.Null()], {
          default: 1024,
          description: 'Start another file beyond this size, in MiB; 0 or null = one file.',
        }),
      ),
    }),
    model: choice(MODELS, { description: 'What the files hold.' }),
    include: names('Only events of these names.'),
    exclude: names('No events of these names.'),
    ...queryFields,
  },
  { title: 'FileDownloadWrite' },
);

export type DownloadBody = Static<typeof downloadBody>;

/** What a person asked for, checked. Times in milliseconds since the epoch; null = not given. */
export interface Wanted {
  readonly model: ModelName;
  readonly config: Readonly<Record<string, unknown>>;
  readonly query: string | null;
  readonly modifiers: Readonly<Record<string, unknown>> | null;
  readonly start: number | null;
  readonly end: number | null;
}

/** The rules of contract.md §9.1 that look at more than one field. Throws the first problem. */
export async function readDownload(
  ports: Pick<ResourcePorts, 'gates' | 'readQuery' | 'clock'>,
  teamId: number,
  body: DownloadBody,
): Promise<Wanted> {
  const { model, hogql_query: query = null, hogql_modifiers: modifiers = null } = body;
  const config = fileConfig(body);
  let needed: Iterable<Bound> | null = null;
  if (model === 'hogql') {
    for (const key of ['include', 'exclude'] as const) {
      if (body[key] !== undefined) throw invalid(null, `${key} goes with the model "events" only.`);
    }
    needed = (await readDownloadQuery(ports, teamId, query, modifiers as Modifiers | null)).placeholders;
  } else {
    if (query !== null) throw invalid(null, 'hogql_query goes with the model "hogql" only.');
    if (modifiers !== null) throw invalid(null, 'hogql_modifiers goes with the model "hogql" only.');
  }
  return {
    model,
    config,
    query,
    modifiers: modifiers as Wanted['modifiers'],
    ...readBounds(body, needed, ports.clock.now()),
  };
}

const BOUNDS = PLACEHOLDERS;
type Bound = (typeof BOUNDS)[number];

const LONGEST_MS = 7 * 86_400_000;

/**
 * Bounds of a download or a count, milliseconds since the epoch. Those that the query's `placeholders` name must be there;
 * without a query (null) both. Throws `invalid_input`, with the missing bound as attr only when a placeholder asks for it.
 */
export function readBounds(
  body: Pick<DownloadBody, Bound>,
  placeholders: Iterable<Bound> | null,
  now: number,
): { start: number | null; end: number | null } {
  const wanted = new Set(placeholders ?? BOUNDS);
  const missing = BOUNDS.find((name) => wanted.has(name) && (body[name] ?? null) === null);
  if (missing) throw invalid(placeholders && missing, `${missing} is required.`);
  const [start, end] = BOUNDS.map((name) => moment(body[name])) as [number | null, number | null];
  if (start !== null && end !== null) {
    if (start > end) throw invalid(null, 'data_interval_end must not be before data_interval_start.');
    if (end - start > LONGEST_MS) throw invalid(null, 'The interval must not be longer than 7 days.');
  }
  for (const [i, at] of [start, end].entries()) {
    if (at !== null && at > now) throw invalid(null, `${BOUNDS[i]} must not be in the future.`);
  }
  return { start, end };
}

/** As the file destinations know it; include and exclude are left out where they mean nothing. */
function fileConfig({ file, model, include, exclude }: DownloadBody): Readonly<Record<string, unknown>> {
  const config = {
    file_format: file.format ?? 'Parquet',
    compression: file.compression ?? null,
    max_file_size_mb: file.max_size_mb ?? null,
    ...(model === 'events' && include ? { include_events: include } : {}),
    ...(model === 'events' && exclude ? { exclude_events: exclude } : {}),
  };
  const problem = checkFileOptions(config);
  if (problem) throw invalid('file__compression', problem);
  return config;
}

const moment = (text: string | null | undefined): number | null => (text ? Date.parse(text) : null);

const invalid = (attr: string | null, detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr, detail });
