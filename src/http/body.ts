import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../errors/error.ts';
import { BodyRoom, drain } from './body-room.ts';
import { MOST_FIELDS, refuseTooMany, refuseTooManyFields } from './form-limit.ts';
import { refuseUnkeepable } from './keepable.ts';

const FORM = 'application/x-www-form-urlencoded';
const MULTIPART = 'multipart/form-data';
/** Of all parts of a multipart form: 1.6 million of them keep the thread for 4 s. A field has four at most. */
const MOST_HEADER_LINES = 4 * MOST_FIELDS;
/**
 * Bytes, of who has shown no key in the header. They are parsed to look for a key in them, and ten million brackets of JSON keep
 * the thread for 7 s; nothing that is sent without such a key is as large.
 */
const MOST_OF_STRANGERS = 256_000;

/** Whether the body is a form, whose values are all text. */
export const isForm = (contentType: string | undefined): boolean =>
  contentType !== undefined && (mediaType(contentType) === FORM || mediaType(contentType) === MULTIPART);

/**
 * Takes over the reading of bodies: JSON, forms and multipart forms become plain objects, an empty body
 * is `{}` whatever its type says (contract.md §1.1), anything else is 415. Endpoints that ask for raw
 * bytes get them untouched. What is said to be too large is refused before any of it is read.
 */
export function installBodyParsers(app: FastifyInstance, room = new BodyRoom()): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    refuseTooLarge(request);
    const { most, tooLarge } = limitOf(request);
    const { rawBody, unread } = request.routeOptions.config;
    if (unread) return await drain(payload, most);
    const body = await room.read(payload, most, tooLarge);
    if (rawBody) return body;
    return await parseBody(request.headers['content-type'], body).catch((error) => new UnreadableBody(error));
  });
}

/** By what the request says, before any of its body has come. Throws `request_too_large`. */
export function refuseTooLarge(request: FastifyRequest): void {
  const { most, tooLarge } = limitOf(request);
  if (Number(request.headers['content-length']) > most) throw tooLarge();
}

function limitOf({ access, routeOptions }: FastifyRequest) {
  const { bodyLimit = 0, config } = routeOptions;
  const asStranger = access === null && !config.rawBody && !config.unread && bodyLimit > MOST_OF_STRANGERS;
  return {
    most: asStranger ? MOST_OF_STRANGERS : bodyLimit,
    tooLarge: () =>
      new SluiceError(
        'request_too_large',
        asStranger
          ? {
              detail: `Without a personal API key in the Authorization header a body has at most ${MOST_OF_STRANGERS} bytes.`,
            }
          : {},
      ),
  };
}

/** A body that cannot be parsed. It is told when the body's turn comes: after who asks, and for what (contract.md §1.2). */
export class UnreadableBody {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** Throws `parse_error` or `unsupported_media_type`. */
export async function parseBody(contentType: string | undefined, body: Buffer): Promise<unknown> {
  if (body.length === 0) return {};
  switch (mediaType(contentType)) {
    case 'application/json':
      return parseJson(body);
    case FORM:
      refuseTooManyFields(body.toString('latin1'));
      return fieldsOf(new URLSearchParams(decode(body)));
    case MULTIPART:
      refuseTooManyParts(body.toString('latin1'));
      return fieldsOf(await parseMultipart(contentType as string, body));
    default:
      throw new SluiceError('unsupported_media_type', {
        detail: `Unsupported media type "${mediaType(contentType).slice(0, 100)}" in request.`,
      });
  }
}

const mediaType = (contentType = ''): string => (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();

/** A body of white space counts as empty. */
function parseJson(body: Buffer): unknown {
  const text = decode(body);
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SluiceError('parse_error', { detail: 'JSON parse error: the body is not valid JSON.', cause });
  }
  return value;
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (cause) {
    throw new SluiceError('parse_error', { detail: 'The body is not valid UTF-8.', cause });
  }
}

function refuseTooManyParts(form: string): void {
  refuseTooMany(form, /content-disposition/gi, { most: MOST_FIELDS, what: 'fields' });
  refuseTooMany(form, /\n[^\s:]+:/g, { most: MOST_HEADER_LINES, what: 'header lines' });
}

async function parseMultipart(contentType: string, body: Buffer): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new SluiceError('parse_error', { detail: 'Multipart form parse error.', cause });
  }
}

/** Name → text, or texts when a name is repeated. Files are left out: no endpoint takes any. */
function fieldsOf(form: Iterable<[string, string | File]>): Record<string, unknown> {
  const fields = new Map<string, string[]>();
  for (const [name, value] of form) {
    if (typeof value !== 'string') continue;
    const values = fields.get(name);
    if (values) values.push(value);
    else fields.set(name, [value]);
  }
  refuseUnkeepable([...fields.keys()], null);
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
