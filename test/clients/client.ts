/** What one operation of the API description is given. */
export interface Input {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

/** A client library, called by the operation ids of the API description. */
export interface Client {
  /** Resolves with the body of a success; throws `Refused` with the body of an error, as the library parsed it. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what is being tested
  call(operationId: string, input?: Input): Promise<any>;
}

/** An error answer that a client library understood. */
export class Refused extends Error {
  readonly status: number;
  readonly envelope: unknown;

  constructor(status: number, envelope: unknown) {
    super(`${status} ${JSON.stringify(envelope)}`);
    this.status = status;
    this.envelope = envelope;
  }
}

/** One operation of the API description, as much as adapters need. */
export interface Described {
  readonly method: string;
  /** With `{names}`. */
  readonly path: string;
  readonly pathNames: readonly string[];
  readonly takesQuery: boolean;
  readonly takesBody: boolean;
}

/** `batch_exports_runs_list` → `batchExportsRunsList`, as all generators do. */
export const camel = (name: string): string =>
  name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
