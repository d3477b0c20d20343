import { Errors } from 'typebox/schema';
import type { Operation } from './document.ts';
import { SECRET } from './samples.ts';
import type { Reply } from './send.ts';

const FAMILIES = [
  'validation_error',
  'authentication_error',
  'invalid_request',
  'throttled_error',
  'server_error',
];

/** What is wrong with an answer, or null: the promises of contract.md §1.4 and of our own API description. */
export function broken(operation: Operation | null, method: string, reply: Reply): string | null {
  if (reply.status >= 500) return 'is a 5xx';
  if (reply.text.includes(SECRET)) return 'tells a secret';
  if (method === 'HEAD' || method === 'OPTIONS') return null;
  if (reply.status >= 400) return outsideTheEnvelope(reply);
  return operation && unlikeItsSchema(operation, reply);
}

function outsideTheEnvelope(reply: Reply): string | null {
  const body = parsed(reply);
  if (body === undefined) return 'is no JSON';
  const { type, code, detail, attr, ...more } = (body ?? {}) as Record<string, unknown>;
  if (Object.keys(more).length > 0) return `has more than the envelope: ${Object.keys(more)}`;
  if (!FAMILIES.includes(String(type))) return `is of no known type: ${String(type)}`;
  if (typeof code !== 'string' || typeof detail !== 'string') return 'has no code or detail';
  return attr === null || typeof attr === 'string' ? null : 'has a strange attr';
}

function unlikeItsSchema(operation: Operation, reply: Reply): string | null {
  const schema = operation.responses[reply.status];
  if (schema === undefined) return `has a status that ${operation.id} does not document`;
  if (schema === null) return reply.text === '' ? null : 'has a body, documented as empty';
  if (!(reply.headers['content-type'] ?? '').includes('json')) return null;
  const body = parsed(reply);
  if (body === undefined) return 'is no JSON';
  const [, [error]] = Errors(schema, body);
  return error ? `differs from its schema at ${error.instancePath}: ${error.message}` : null;
}

function parsed(reply: Reply): unknown {
  try {
    return JSON.parse(reply.text) as unknown;
  } catch {
    return undefined;
  }
}
