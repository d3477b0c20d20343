/**
 * The JSON Schema keywords the reader understands. A walk of our own rather than a general validator:
 * the contract wants the *first* error in declared field order, its own codes, and lenient conversions
 * that a general validator's coercion gets wrong (null would become "" or 0).
 *
 * Own keywords: `x-reference` (an integer naming another object), `x-verbatim` (text kept as it is),
 * `x-lenient` (an unreadable value counts as absent), `x-blank-is-absent` (so do null and the empty text).
 */
export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly patternProperties?: unknown;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly default?: unknown;
  readonly 'x-reference'?: boolean;
  readonly 'x-verbatim'?: boolean;
  readonly 'x-lenient'?: boolean;
  readonly 'x-blank-is-absent'?: boolean;
}
