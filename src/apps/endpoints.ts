import type { Endpoint } from '../http/endpoint.ts';
import type { ApiPorts } from './api-ports.ts';
import { historicalExportEndpoints } from './historical-exports/routes.ts';
import { metricsEndpoints } from './metrics/routes.ts';
import { pluginConfigEndpoints } from './plugin-configs/routes.ts';
import { pluginEndpoints } from './plugins/routes.ts';

/** Plugins (the catalogue of apps), plugin configs, app metrics, historical exports (contract.md §11). */
export const appsEndpoints = (ports: ApiPorts): readonly Endpoint[] => [
  ...pluginEndpoints(ports),
  ...pluginConfigEndpoints(ports),
  ...metricsEndpoints(ports),
  ...historicalExportEndpoints(ports),
];
