import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Static, TSchema } from 'typebox';

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
  /** The session of a browser; null for a key. */
  readonly sessionId: string | null;
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
   * /api/environments/:project_id and /api/projects/:project_id (`''` is the project itself); `api`
   * under /api; `root` as they are. Every path also answers with a trailing slash.
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
  /** The body arrives untouched as `request.raw`, whatever its content type; `body` is `{}`. */
  readonly rawBody?: true;
  /** The body is let pass and not kept: the handler sees none. */
  readonly unread?: true;
  /** Bytes; default 10 MB, of who has no key in the header 256 kB. Larger bodies are answered with 413. */
  readonly bodyLimit?: number;
  /** Web pages of any origin may call it; preflight requests are answered. */
  readonly cors?: true;
  /** Left out of the OpenAPI document. */
  readonly hidden?: true;
  /** Has a tighter throttle of its own (contract.md §1.6). */
  readonly costly?: true;
  /** Closed to keys that are limited to projects or organizations. */
  readonly unlimited?: true;
  /**
   * Throws `not_found` when what the path names is not there: an object is looked for before query and body are judged
   * (contract.md §1.2). Asked only when those are bad; otherwise the handler finds out by itself.
   */
  requireObject?(request: Pick<EndpointRequest, 'caller' | 'project' | 'params'>): Promise<unknown>;
  handler(request: EndpointRequest): Promise<Answer>;
}

/** What the API description is made of. */
export type DescribedEndpoint = Omit<Endpoint, 'handler' | 'requireObject'>;

export interface EndpointRequest {
  /** `HEAD` where the endpoint's is GET: the headers are answered, and no body. */
  readonly method: string;
  /** Present unless `scope` is `public`. Reading it on a public endpoint throws. */
  readonly caller: Caller;
  /** Present only in area `project`. Reading it elsewhere throws. */
  readonly project: Project;
  readonly params: Readonly<Record<string, string>>;
  /** As the query schema types it; without a schema, the last text given for each name. */
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** The bytes of the body; empty unless the endpoint asks for `rawBody`. */
  readonly raw: Buffer;
  readonly headers: IncomingHttpHeaders;
  /** The client's address. */
  readonly ip: string;
  /** The absolute URL of this request, for `next` and `previous` links. */
  readonly url: URL;
  /** Aborts when the client goes away before the answer is complete. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly stream?: Readable;
}

type Typed<Schema> = Schema extends TSchema ? Static<Schema> : Readonly<Record<string, unknown>>;

/** An endpoint whose handler sees `query` and `body` as its schemas type them. */
export function endpoint<
  Query extends TSchema | undefined = undefined,
  Body extends TSchema | undefined = undefined,
>(
  definition: Omit<Endpoint, 'query' | 'body' | 'handler'> & {
    readonly query?: Query;
    readonly body?: Body;
    handler(
      request: Omit<EndpointRequest, 'query' | 'body'> & {
        readonly query: Typed<Query>;
        readonly body: Typed<Body>;
      },
    ): Promise<Answer>;
  },
): Endpoint {
  // The server hands over exactly what the schemas describe; this is where the two types meet.
  return definition as unknown as Endpoint;
}
