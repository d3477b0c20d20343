/** An exception of ClickHouse, or one the façade raises in its manner. */
export class EngineError extends Error {
  readonly code: number;
  readonly type: string;

  constructor(code: number, type: string, message: string) {
    super(message);
    this.code = code;
    this.type = type;
  }

  /** As ClickHouse's HTTP interface writes it. */
  get text(): string {
    return `Code: ${this.code}. DB::Exception: ${this.message.trim()} (${this.type}) (version ${VERSION})\n`;
  }
}

/** What the engine calls itself; clients take features from it. */
export const VERSION = '26.7.2.1 (official build)';

export const unknownSetting = (name: string): EngineError =>
  new EngineError(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'.`);

export const cancelled = (): EngineError =>
  new EngineError(394, 'QUERY_WAS_CANCELLED', 'Query was cancelled.');

/** chDB's errors carry the code as a property and `(TYPE)` at the end of the text. */
export function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = Number((error as { clickhouseCode?: unknown })?.clickhouseCode);
  const parts = /^(?:Code: \d+\. DB::Exception: )?(.*?)(?: \(([A-Z][A-Z0-9_]+)\))?\s*$/s.exec(message);
  const type = parts?.[2] ?? (code ? 'UNKNOWN_EXCEPTION' : 'STD_EXCEPTION');
  return new EngineError(code || 1001, type, parts?.[1] ?? message);
}

/** HTTP statuses as ClickHouse chooses them: what the caller got wrong, what is missing, what is closed. */
const STATUS: ReadonlyMap<number, number> = new Map([
  ...[6, 26, 27, 36, 38, 41, 43, 44, 53, 62, 70, 72, 117, 130, 131, 190, 441, 457].map(
    (code) => [code, 400] as const,
  ),
  ...[46, 47, 50, 56, 60, 73, 81, 115].map((code) => [code, 404] as const),
  ...[192, 193, 497, 516].map((code) => [code, 403] as const),
  [194, 401],
  [48, 501],
  [202, 503],
  [209, 503],
  [236, 503],
]);

export function httpStatus(code: number): number {
  return STATUS.get(code) ?? 500;
}
