import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { firstStored } from '../../http/dates.ts';
import { type Endpoint, endpoint, type Project } from '../../http/endpoint.ts';
import { uuidOf } from '../../http/uuid.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Clock } from '../../work/clock.ts';
import { METRIC_CATEGORIES } from '../catalogue/app.ts';
import { ErrorDetailsSchema, readErrorDetails } from './error-details.ts';
import { readMetrics } from './read.ts';
import { type AppMetrics, AppMetricsSchema, presentMetrics } from './shapes.ts';
import { type Dates, windowOf } from './window.ts';

export interface MetricsPorts {
  readonly warehouse: Pick<Warehouse, 'rows'>;
  readonly clock: Pick<Clock, 'now'>;
  /**
   * How the runs of a batch export that were last updated within both bounds ended, by UTC day; days without runs are left out.
   * Null when the project has no such export.
   */
  readonly runOutcomes: (
    teamId: number,
    exportId: string,
    range: { readonly from: Date; readonly to: Date },
  ) => Promise<readonly { day: string; successes: number; failures: number }[] | null>;
}

export const TAG = 'App metrics';
export const READ = 'plugin:read';

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const filters = {
  category: Type.Optional(Type.Union(METRIC_CATEGORIES.map((name) => Type.Literal(name)))),
  job_id: text('Only what this job did.'),
};

/** contract.md §11.1 and §11.2. */
export function metricsEndpoints(ports: MetricsPorts): Endpoint[] {
  const common = { method: 'GET', area: 'project', tag: TAG, scope: READ } as const;
  return [
    endpoint({
      ...common,
      path: '/app_metrics/:id',
      operationId: 'app_metrics_retrieve',
      summary: 'How an app’s deliveries, or a batch export’s runs, went',
      query: Type.Object({
        ...filters,
        date_from: text('Since; a date, a moment or `-7d` and the like. Default -30d.'),
        date_to: text('Until; default now.'),
      }),
      response: { 200: AppMetricsSchema },
      handler: async ({ project, params, query, url, signal }) => {
        const id = params.id ?? '';
        const uuid = uuidOf(id);
        if (uuid !== null) return { status: 200, body: await metricsOfRuns(ports, project, uuid, query) };
        refuseBlankCategory(url);
        if (id.includes('hog-'))
          return { status: 200, body: { metrics: presentMetrics([], []), errors: [] } };
        const pluginConfigId = numberOf(id);
        const place = { now: ports.clock.now(), zone: project.timezone };
        const window = windowOf(query, place, true);
        const { category, job_id: jobId } = query;
        const wanted = { teamId: project.id, pluginConfigId, category, jobId, window, zone: place.zone };
        return { status: 200, body: await readMetrics(ports.warehouse, wanted, signal) };
      },
    }),
    endpoint({
      ...common,
      path: '/app_metrics/:id/error_details',
      operationId: 'app_metrics_error_details_retrieve',
      summary: 'The newest occurrences of an app’s error',
      query: Type.Object({ error_type: Type.String({ minLength: 1 }), ...filters }),
      response: { 200: ErrorDetailsSchema },
      handler: async ({ project, params, query, url }) => {
        refuseBlankCategory(url);
        const wanted = {
          teamId: project.id,
          pluginConfigId: numberOf(params.id ?? ''),
          errorType: query.error_type,
          category: query.category,
          jobId: query.job_id,
        };
        return { status: 200, body: await readErrorDetails(ports.warehouse, wanted) };
      },
    }),
  ];
}

async function metricsOfRuns(
  ports: MetricsPorts,
  project: Project,
  exportId: string,
  dates: Dates,
): Promise<AppMetrics> {
  const { from, to } = windowOf(dates, { now: ports.clock.now(), zone: project.timezone }, false);
  const days = await ports.runOutcomes(project.id, exportId, {
    from: firstStored(from),
    to: new Date(to.epochMilliseconds),
  });
  if (days === null) throw new SluiceError('not_found');
  const outcomes = days.map(({ successes, failures }) => ({ successes, successes_on_retry: 0, failures }));
  return {
    metrics: presentMetrics(
      days.map(({ day }) => day),
      outcomes,
    ),
    errors: null,
  };
}

/** An empty choice is none of the choices; the reader of queries counts it as absent. */
function refuseBlankCategory(url: URL): void {
  if (url.searchParams.getAll('category').at(-1) === '') {
    throw new SluiceError('invalid_choice', { attr: 'category', detail: '"" is not a valid choice.' });
  }
}

/** Whole numbers that the column holds, whether there is such a plugin config or not; anything else names nothing. */
function numberOf(text: string): string {
  if (!/^-?\d{1,18}$/.test(text)) throw new SluiceError('not_found');
  return text;
}
