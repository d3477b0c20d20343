import type { TSchema } from 'typebox';
import type { Caller } from '../http/endpoint.ts';
import type { MetricsPorts } from './metrics/routes.ts';
import type { AppsPorts } from './ports.ts';

export interface Organization {
  readonly id: string;
  readonly name: string;
}

/** What the HTTP side needs beside what all of the feature does. */
export interface ApiPorts extends AppsPorts, MetricsPorts {
  readonly clock: AppsPorts['clock'];
  /** Of a project at once. */
  readonly maxHistoricalExports: number;
  /** The caller's organization of this id, or `@current`. Throws `not_found`, `permission_denied`. */
  readonly organizationOf: (caller: Caller, reference: string) => Promise<Organization>;
  /** How people are shown: `accounts` knows. */
  readonly people: {
    readonly schema: TSchema;
    readonly users: (ids: readonly number[]) => Promise<ReadonlyMap<number, unknown>>;
  };
}
