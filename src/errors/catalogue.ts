/**
 * Every error Sluice can answer with or write on a run, in one place.
 *
 * `status`, `type` and `code` are the HTTP envelope's (contract.md §1.4); `kind` decides what the
 * engine does with it: `retry` (try again with backoff), `user` (fail at once: a person must fix
 * something), `bug` (ours: fail, keep the details in the log). `meaning` is the default detail.
 * `docs/errors.md` lists the same codes; a test keeps the two equal.
 */
export type ErrorKind = 'retry' | 'user' | 'bug';
export type EnvelopeType =
  | 'validation_error'
  | 'authentication_error'
  | 'invalid_request'
  | 'throttled_error'
  | 'server_error';

export interface CatalogueEntry {
  readonly status: number;
  readonly type: EnvelopeType;
  /** The `code` of the envelope when it differs from the catalogue key. */
  readonly code?: string;
  readonly kind: ErrorKind;
  readonly meaning: string;
}

const validation = (meaning: string, code?: string): CatalogueEntry => ({
  status: 400,
  type: 'validation_error',
  kind: 'user',
  meaning,
  ...(code ? { code } : {}),
});

const run = (kind: ErrorKind, meaning: string): CatalogueEntry => ({
  status: kind === 'user' ? 400 : 503,
  type: kind === 'user' ? 'validation_error' : 'server_error',
  kind,
  meaning,
});

export const catalogue = {
  // --- the API's validation errors (contract.md §1.4) ---
  required: validation('This field is required.'),
  null: validation('This field may not be null.'),
  blank: validation('This field may not be blank.'),
  invalid_choice: validation('Not a valid choice.'),
  invalid_input: validation('Invalid value.'),
  incorrect_type: validation('Incorrect type.'),
  not_a_list: validation('Expected a list of items.'),
  empty: validation('This list may not be empty.'),
  max_value: validation('The value is too large.'),
  min_value: validation('The value is too small.'),
  max_length: validation('The text is too long.'),
  does_not_exist: validation('Object does not exist.'),
  unique: validation('This value is already in use.'),
  not_a_dict: validation('Expected an object.'),
  null_characters_not_allowed: validation('Null characters are not allowed.'),
  surrogate_characters_not_allowed: validation('Unpaired surrogate characters are not allowed.'),
  invalid_credentials: validation('The e-mail address or the password is wrong.'),
  timeout_exceeded: validation('The query took too long.'),
  parse_error: { status: 400, type: 'invalid_request', kind: 'user', meaning: 'Malformed request body.' },
  // --- who may do what (contract.md §1.2, §1.4) ---
  not_authenticated: {
    status: 401,
    type: 'authentication_error',
    kind: 'user',
    meaning: 'Authentication credentials were not provided.',
  },
  authentication_failed: {
    status: 401,
    type: 'authentication_error',
    kind: 'user',
    meaning: 'The credentials are not valid.',
  },
  permission_denied: {
    status: 403,
    type: 'authentication_error',
    kind: 'user',
    meaning: 'You do not have permission to perform this action.',
  },
  not_found: { status: 404, type: 'invalid_request', kind: 'user', meaning: 'Not found.' },
  method_not_allowed: { status: 405, type: 'invalid_request', kind: 'user', meaning: 'Method not allowed.' },
  conflict: { status: 409, type: 'invalid_request', kind: 'user', meaning: 'This is already under way.' },
  request_too_large: {
    status: 413,
    type: 'invalid_request',
    kind: 'user',
    meaning: 'The request body is too large.',
  },
  request_timeout: {
    status: 408,
    type: 'invalid_request',
    kind: 'retry',
    meaning: 'The request took too long to arrive.',
  },
  request_headers_too_large: {
    status: 431,
    type: 'invalid_request',
    kind: 'user',
    meaning: 'The request headers are too large.',
  },
  range_not_satisfiable: {
    status: 416,
    type: 'invalid_request',
    kind: 'user',
    meaning: 'The file has no such range of bytes.',
  },
  unsupported_media_type: {
    status: 415,
    type: 'invalid_request',
    kind: 'user',
    meaning: 'Unsupported media type in request.',
  },
  throttled: { status: 429, type: 'throttled_error', kind: 'retry', meaning: 'Request was throttled.' },
  too_many_concurrent_backfills: {
    status: 429,
    type: 'server_error',
    kind: 'retry',
    meaning: 'Too many backfills are running in this project; wait for one to finish or cancel it.',
  },
  too_many_concurrent_file_downloads: {
    status: 429,
    type: 'server_error',
    kind: 'retry',
    meaning: 'Too many file downloads are running in this project; wait for one to finish or cancel it.',
  },
  too_many_concurrent_historical_exports: {
    status: 429,
    type: 'server_error',
    kind: 'retry',
    meaning: 'Too many historical exports are running in this project; wait for one to finish.',
  },
  error: { status: 500, type: 'server_error', kind: 'bug', meaning: 'A server error occurred.' },
  unavailable: {
    status: 503,
    type: 'server_error',
    kind: 'retry',
    meaning: 'Sluice is starting or stopping; try again shortly.',
  },
  // --- the database ---
  database_unavailable: run('retry', 'The database could not be reached or broke off the connection.'),
  // --- the warehouse, as a run sees it ---
  warehouse_unavailable: run('retry', 'The warehouse could not be reached.'),
  warehouse_overloaded: run('retry', 'The warehouse refused the query because it is overloaded.'),
  warehouse_memory: run('retry', 'The warehouse ran out of memory for this query.'),
  warehouse_query: run('bug', 'The warehouse could not run the query of this export.'),
  warehouse_denied: run('user', 'The warehouse refused access; check the user and its grants.'),
  warehouse_cancelled: run('retry', 'The query was stopped before it finished.'),
  // --- destinations, as a run sees them ---
  destination_unavailable: run('retry', 'The destination could not be reached or asked to be left alone.'),
  destination_changed: run(
    'retry',
    'What the run had staged at the destination was changed or removed before it was published.',
  ),
  destination_denied: run('user', 'The destination refused access; check the credentials and their rights.'),
  destination_missing: run('user', 'The place to write to does not exist; create it or correct the name.'),
  destination_config: run('user', 'The destination cannot be written to as configured.'),
  destination_full: run('retry', 'There is no space left at the destination.'),
  secret_unreadable: run(
    'user',
    'A stored secret was sealed with another key; set SLUICE_SECRET_KEY to the one it was stored with.',
  ),
  destination_not_available: run('user', 'This destination is not available in this version.'),
  model_not_available: run('user', 'This model is not available in this version.'),
  filter_invalid: run('user', 'A filter of this export cannot be evaluated; correct it.'),
  // --- deliveries of apps ---
  delivery_refused: run('user', 'The receiver refused these events.'),
  delivery_too_large: run('user', 'The receiver refused so large a request.'),
  delivery_superseded: run('retry', 'Another process took over this delivery.'),
  // --- the run itself ---
  verification_failed: run('retry', 'What was read back from the destination is not what was written.'),
  run_silent: run(
    'retry',
    'The process at work on this run ended without a word, several times in a row; look for its end in the log of the system (out of memory?).',
  ),
  run_superseded: run('retry', 'Another worker took over this run.'),
  run_cancelled: run('user', 'The run was cancelled.'),
  // --- starting up ---
  data_dir_locked: {
    status: 503,
    type: 'server_error',
    kind: 'user',
    meaning: 'Another Sluice process is using this data directory.',
  },
  data_dir_unwritable: {
    status: 503,
    type: 'server_error',
    kind: 'user',
    meaning: 'The data directory cannot be written to.',
  },
  made_by_newer: {
    status: 503,
    type: 'server_error',
    kind: 'user',
    meaning:
      'The database or the warehouse was made by a newer Sluice; start that one, or restore the copy from before the update.',
  },
  made_by_older: {
    status: 503,
    type: 'server_error',
    kind: 'user',
    meaning: 'This Sluice is newer than the database or the warehouse; start its server first.',
  },
  bad_configuration: {
    status: 500,
    type: 'server_error',
    kind: 'user',
    meaning: 'A setting has an invalid value.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;
