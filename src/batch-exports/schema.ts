import { type Static, type TSchema, Type } from 'typebox';
import { RUN_STATUSES } from './runs/machine.ts';
import { INTERVALS } from './schedule/intervals.ts';

/** The shapes of contract.md §4 and §7: they validate, document and type. */
export const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

export const choice = <const Values extends readonly string[]>(values: Values, options = {}) =>
  Type.Union(
    values.map((value) => Type.Literal(value as Values[number])),
    options,
  );
const text = () => Type.String({ minLength: 1 });
const time = () => Type.String({ format: 'date-time' });
const whole = () => Type.Integer();
const free = (description: string) => Type.Unsafe<unknown>({ description });

export const MODELS = ['events', 'persons', 'sessions', 'hogql'] as const;
export type ModelName = (typeof MODELS)[number];
export const INCREMENTAL_MODES = ['APPEND', 'MERGE'] as const;

/** Writing: `config` is checked against the destination's own schema afterwards (contract.md §5). */
const destinationBody = (types: readonly string[]) =>
  Type.Object({
    type: choice(types, { description: 'Where the rows go.' }),
    config: Type.Object(
      {},
      { additionalProperties: true, description: 'Settings of this type of destination.' },
    ),
    integration: Type.Optional(
      nullable(Type.Integer({ 'x-reference': true, description: 'The stored credentials to use.' })),
    ),
    integration_id: Type.Optional(
      nullable(
        Type.Integer({ 'x-reference': true, description: 'Another name for `integration`; it wins.' }),
      ),
    ),
  });

/** In declared order, which is the order errors are told in (contract.md §4.3). */
const fields = (types: readonly string[]) => ({
  name: text(),
  // Old clients send null or an empty text for a model that they do not choose (contract.md §14).
  model: choice(MODELS, {
    description: 'What is exported; `events` unless said otherwise.',
    'x-blank-is-absent': true,
  }),
  destination: destinationBody(types),
  interval: choice(INTERVALS, { description: 'How often, and how much time each run covers.' }),
  hogql_query: nullable(Type.String({ description: 'Only with model `hogql`.' })),
  hogql_modifiers: nullable(Type.Object({}, { additionalProperties: true })),
  primary_key: nullable(Type.Array(text(), { minItems: 1 })),
  version_key: nullable(Type.Array(text(), { minItems: 1 })),
  incremental_mode: choice(INCREMENTAL_MODES),
  timezone: nullable(
    Type.String({ description: 'A tz database name; days and weeks begin in it. Default UTC.' }),
  ),
  offset_day: nullable(
    Type.Integer({ minimum: 0, maximum: 6, description: 'Where a week begins, 0 = Sunday.' }),
  ),
  offset_hour: nullable(
    Type.Integer({ minimum: 0, maximum: 23, description: 'Where a day or week begins, local hour.' }),
  ),
  paused: Type.Boolean(),
  filters: free('A list of property filters on events, or null.'),
  start_at: nullable(time()),
  end_at: nullable(time()),
  last_paused_at: nullable(time()),
});

const EXAMPLE = {
  name: 'hourly',
  model: 'events',
  interval: 'hour',
  destination: {
    type: 'Filesystem',
    config: { prefix: 'events/{year}/{month}/{day}', file_format: 'Parquet', compression: 'zstd' },
  },
};

export const patchSchema = (types: readonly string[]) =>
  Type.Partial(Type.Object(fields(types)), { title: 'PatchedBatchExport' });

export const writeSchema = (types: readonly string[]) => {
  const { name, destination, interval } = fields(types);
  // Spread first and again: the required fields keep their places in the declared order.
  const required = { name, destination, interval };
  return Type.Object(
    { ...patchSchema(types).properties, ...required },
    { title: 'BatchExportWrite', examples: [EXAMPLE] },
  );
};

export type WriteBody = Static<ReturnType<typeof patchSchema>>;

export const RunStatusSchema = choice(RUN_STATUSES, { title: 'BatchExportRunStatus' });

export const RunSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    batch_export: nullable(Type.String({ format: 'uuid' })),
    batch_export_on_demand: nullable(Type.String({ format: 'uuid' })),
    backfill: nullable(Type.String({ format: 'uuid' })),
    status: RunStatusSchema,
    records_completed: nullable(whole()),
    records_failed: nullable(whole()),
    records_total_count: nullable(whole()),
    bytes_exported: nullable(whole()),
    latest_error: nullable(Type.String()),
    data_interval_start: nullable(time()),
    data_interval_end: time(),
    cursor: Type.Null(),
    created_at: time(),
    finished_at: nullable(time()),
    last_updated_at: time(),
    attempt: Type.Integer({ description: 'How often this run was begun; 0 = not yet.' }),
    next_attempt_at: nullable(time()),
    proof: nullable(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description: 'Rows and fingerprints at the source, written, re-read; null in latest_runs.',
        },
      ),
    ),
  },
  { title: 'BatchExportRun' },
);

export const BatchExportSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    team_id: whole(),
    name: Type.String(),
    model: choice(MODELS),
    destination: Type.Object({
      type: Type.String(),
      config: Type.Object({}, { additionalProperties: true }),
      integration: nullable(whole()),
    }),
    interval: choice(INTERVALS),
    paused: Type.Boolean(),
    created_at: time(),
    last_updated_at: time(),
    last_paused_at: nullable(time()),
    start_at: nullable(time()),
    end_at: nullable(time()),
    latest_runs: Type.Array(RunSchema),
    hogql_query: nullable(Type.String()),
    hogql_modifiers: nullable(Type.Object({}, { additionalProperties: true })),
    primary_key: nullable(Type.Array(Type.String())),
    version_key: nullable(Type.Array(Type.String())),
    incremental_mode: choice(INCREMENTAL_MODES),
    schema: Type.Null(),
    filters: nullable(Type.Array(Type.Object({}, { additionalProperties: true }))),
    timezone: Type.String(),
    offset_day: nullable(whole()),
    offset_hour: nullable(whole()),
  },
  { title: 'BatchExport' },
);

export const BackfillSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    team: whole(),
    batch_export: Type.String({ format: 'uuid' }),
    start_at: nullable(time()),
    end_at: nullable(time()),
    adjusted_start_at: nullable(time()),
    status: Type.String(),
    total_records_count: nullable(whole()),
    progress: nullable(
      Type.Object({
        total_runs: nullable(whole()),
        finished_runs: nullable(whole()),
        progress: nullable(Type.Number()),
      }),
    ),
    created_at: time(),
    finished_at: nullable(time()),
    last_updated_at: time(),
  },
  { title: 'BatchExportBackfill' },
);

export const LogEntrySchema = Type.Object(
  {
    log_source_id: Type.String(),
    instance_id: Type.String(),
    timestamp: time(),
    level: Type.String(),
    message: Type.String(),
  },
  { title: 'LogEntry' },
);
