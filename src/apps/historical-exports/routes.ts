import { Temporal } from 'temporal-polyfill';
import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { type Endpoint, endpoint, type Project } from '../../http/endpoint.ts';
import type { ApiPorts } from '../api-ports.ts';
import { readMetrics } from '../metrics/read.ts';
import { READ, TAG } from '../metrics/routes.ts';
import { metricsProperties } from '../metrics/shapes.ts';
import { findConfig } from '../plugin-configs/store.ts';
import {
  type HistoricalExport,
  historicalExportSchema,
  listHistoricalExports,
  presentHistoricalExport,
} from './list.ts';
import { startHistoricalExport } from './start.ts';

const JobBody = Type.Object({
  job: Type.Optional(
    Type.Object({
      type: Type.Optional(Type.Unknown({ description: '`Export historical events V2`' })),
      payload: Type.Optional(
        Type.Unknown({ description: '`{"dateRange": ["2021-06-10", "2022-06-12"], "parallelism": 1}`' }),
      ),
      operation: Type.Optional(Type.Unknown({ description: '`start`' })),
    }),
  ),
});

const HOUR = { hours: 1 };

/** contract.md §11.3 to §11.5. */
export function historicalExportEndpoints(ports: ApiPorts): Endpoint[] {
  const schema = historicalExportSchema(ports.people.schema);
  const common = { area: 'project', tag: TAG } as const;
  const path = '/app_metrics/:plugin_config_id/historical_exports';

  const present = async (rows: readonly HistoricalExport[]) => {
    const users = await ports.people.users(rows.flatMap((row) => row.createdBy ?? []));
    return rows.map((row) => presentHistoricalExport(row, users));
  };

  return [
    endpoint({
      ...common,
      method: 'GET',
      scope: READ,
      path,
      operationId: 'app_metrics_historical_exports_retrieve',
      summary: 'An app’s historical exports, newest first',
      response: { 200: Type.Object({ results: Type.Array(schema) }) },
      handler: async ({ project, params }) => {
        const rows = await listHistoricalExports(ports.db, project.id, numberOf(params.plugin_config_id));
        return { status: 200, body: { results: await present(rows) } };
      },
    }),
    endpoint({
      ...common,
      method: 'GET',
      scope: READ,
      path: `${path}/:id`,
      operationId: 'app_metrics_historical_exports_retrieve_2',
      summary: 'A historical export and how its deliveries went',
      response: { 200: Type.Object({ summary: schema, ...metricsProperties }) },
      handler: async ({ project, params, signal }) => {
        const config = numberOf(params.plugin_config_id);
        const [row] = await listHistoricalExports(ports.db, project.id, config, params.id);
        if (!row) throw new SluiceError('not_found');
        const [summary] = await present([row]);
        const metrics = await metricsOf(ports, project, config, row, signal);
        return { status: 200, body: { summary, ...metrics } };
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      scope: 'plugin:write',
      path: '/plugin_configs/:id/job',
      operationId: 'plugin_configs_job_create',
      summary: 'Start a historical export',
      body: JobBody,
      requireObject: ({ project, params }) => findConfig(ports.db, project.id, params.id),
      response: { 200: null },
      handler: async ({ project, params, body, caller }) => {
        await startHistoricalExport(ports, caller.userId, project, params.id, body.job ?? {});
        return { status: 200 };
      },
    }),
  ];
}

/** From an hour before it began to an hour after its end, or now. */
function metricsOf(
  ports: ApiPorts,
  project: Project,
  pluginConfigId: string,
  { jobId, createdAt, finishedAt }: HistoricalExport,
  signal: AbortSignal,
) {
  const at = (date: Date) => Temporal.Instant.fromEpochMilliseconds(date.getTime());
  const window = {
    from: at(createdAt).subtract(HOUR),
    to: finishedAt ? at(finishedAt).add(HOUR) : at(new Date(ports.clock.now())),
  };
  const wanted = { teamId: project.id, pluginConfigId, category: 'exportEvents', jobId, window };
  return readMetrics(ports.warehouse, { ...wanted, zone: project.timezone }, signal);
}

/** Any whole number may be asked for; one that is no plugin config's has no exports. */
function numberOf(text = ''): string {
  if (!/^-?\d{1,18}$/.test(text)) throw new SluiceError('not_found');
  return text;
}
