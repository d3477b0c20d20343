import type { Readable } from 'node:stream';
import type { TSchema } from 'typebox';

/** Who is calling: resolved once per request, before any handler. Built by `accounts`. */
export interface Caller {
  readonly userId: number;
  readonly userUuid: string;
  readonly currentProjectId: number | null;
  /** Scopes of the key used, `['*']` for a session. */
  readonly scopes: readonly string[];
  /** `null` = not limited. */
  readonly scopedProjects: readonly number[] | null;
  readonly scopedOrganizations: readonly string[] | null;
  /** Hash of the key, for throttling; null for a session. */
  readonly keyHash: string | null;
}

export interface Project {
  readonly id: number;
  readonly organizationId: string;
  readonly name: string;
  /** IANA name; dates without offset are read in it (contract.md §2). */
  readonly timezone: string;
}

/** One operation of the API. Features export arrays of these; `http/` mounts and documents them. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * Relative, without a trailing slash. `area: 'project'` paths are mounted under both
   * /api/environments/:project_id and /api/projects/:project_id; `api` under /api; `root` as they are.
   */
  readonly area: 'project' | 'api' | 'root';
  readonly path: string;
  /** Without the `environments_` prefix, which `http/` adds to that variant (contract.md §16). */
  readonly operationId: string;
  readonly summary: string;
  readonly tag: string;
  /** `object:read|write`; `null` = any authenticated caller; `public` = no authentication. */
  readonly scope: string | null | 'public';
  readonly params?: TSchema;
  readonly query?: TSchema;
  /** Unknown keys are ignored; an absent body is `{}`. */
  readonly body?: TSchema;
  /** Status → schema of the body (`null` = empty body). Error envelopes are documented by `http/`. */
  readonly response: Readonly<Record<number, TSchema | null>>;
  handler(request: EndpointRequest): Promise<Answer>;
}

export interface EndpointRequest {
  /** Present unless `scope` is `public`. Reading it on a public endpoint throws. */
  readonly caller: Caller;
  /** Present only in area `project`. Reading it elsewhere throws. */
  readonly project: Project;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** The absolute URL of this request, for `next` and `previous` links. */
  readonly url: URL;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly stream?: Readable;
}
