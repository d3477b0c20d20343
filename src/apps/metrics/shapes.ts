import { Type } from 'typebox';

/** What app metrics look like, whatever they are of (contract.md §11.1). */
export interface Outcomes {
  readonly successes: number;
  readonly successes_on_retry: number;
  readonly failures: number;
}

export interface ErrorCount {
  readonly error_type: string;
  /** Rows, whatever their number of failures. */
  readonly count: number;
  readonly last_seen: string;
}

export interface AppMetrics {
  readonly metrics: ReturnType<typeof presentMetrics>;
  /** Null where errors have no types: of runs. */
  readonly errors: readonly ErrorCount[] | null;
}

/** `outcomes` go with `dates`, one each. */
export function presentMetrics(dates: readonly string[], outcomes: readonly Outcomes[]) {
  const series = {
    successes: outcomes.map((each) => each.successes),
    successes_on_retry: outcomes.map((each) => each.successes_on_retry),
    failures: outcomes.map((each) => each.failures),
  };
  const totals = {
    successes: sum(series.successes),
    successes_on_retry: sum(series.successes_on_retry),
    failures: sum(series.failures),
  };
  return { dates, ...series, totals };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const Counts = Type.Array(Type.Integer());

const MetricsSchema = Type.Object({
  dates: Type.Array(
    Type.String({ description: 'YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS, wall clock of the project.' }),
  ),
  successes: Counts,
  successes_on_retry: Counts,
  failures: Counts,
  totals: Type.Object({
    successes: Type.Integer(),
    successes_on_retry: Type.Integer(),
    failures: Type.Integer(),
  }),
});

const ErrorsSchema = Type.Array(
  Type.Object({
    error_type: Type.String(),
    count: Type.Integer(),
    last_seen: Type.String({ format: 'date-time' }),
  }),
);

export const metricsProperties = {
  metrics: MetricsSchema,
  errors: Type.Union([ErrorsSchema, Type.Null()]),
};

export const AppMetricsSchema = Type.Object(metricsProperties);
