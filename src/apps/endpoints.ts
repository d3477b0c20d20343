import type { TSchema } from 'typebox';
import type { Caller, Endpoint } from '../http/endpoint.ts';
import { historicalExportEndpoints } from './historical-exports/routes.ts';
import { type MetricsPorts, metricsEndpoints } from './metrics/routes.ts';
import { pluginConfigEndpoints } from './plugin-configs/routes.ts';
import { pluginEndpoints } from './plugins/routes.ts';
import type { AppsPorts } from './ports.ts';

export interface Organization {
  readonly id: string;
  readonly name: string;
}

/** What the HTTP side needs beside what all of the feature does. */
export interface ApiPorts extends AppsPorts, MetricsPorts {
  readonly clock: AppsPorts['clock'];
  /** The caller's organization of this id, or `@current`. Throws `not_found`, `permission_denied`. */
  readonly organizationOf: (caller: Caller, reference: string) => Promise<Organization>;
  /** How people are shown: `accounts` knows. */
  readonly people: {
    readonly schema: TSchema;
    readonly users: (ids: readonly number[]) => Promise<ReadonlyMap<number, unknown>>;
  };
}

/** Plugins (the catalogue of apps), plugin configs, app metrics, historical exports (contract.md §11). */
export const appsEndpoints = (ports: ApiPorts): readonly Endpoint[] => [
  ...pluginEndpoints(ports),
  ...pluginConfigEndpoints(ports),
  ...metricsEndpoints(ports),
  ...historicalExportEndpoints(ports),
];
