import { promisify } from 'node:util';
import { brotliDecompress, gunzip, gunzipSync, inflate, zstdDecompress } from 'node:zlib';
import { SluiceError } from '../errors/error.ts';
import { refuseTooManyFields } from '../http/form-limit.ts';

/** The largest body, as sent and as unpacked, bytes: PostHog's limit for a batch. */
export const MAX_BODY_BYTES = 20 * 1024 * 1024;

export interface SentBody {
  readonly raw: Buffer;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** The query's `compression`: `gzip-js`, `gzip`, `base64` or nothing. */
  readonly compression: string;
}

const unpackers = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
  deflate: promisify(inflate),
  zstd: promisify(zstdDecompress),
};
/** Unpacked at once: handing so little to another thread and back costs more. At worst it holds others up for 20 ms. */
const SMALL_BODY_BYTES = 32 * 1024;

/**
 * The JSON text inside a capture request's body. posthog-node sends JSON with `Content-Encoding: gzip`;
 * posthog-js sends gzip as `text/plain` without that header, or `data=<base64>` as a form (beacons), or
 * plain JSON: so gzip is known by its first two bytes, whatever the request says of itself.
 *
 * Throws `request_too_large` when more than `most` bytes come out, `parse_error` when nothing readable does.
 */
export async function bodyText(body: SentBody, most = MAX_BODY_BYTES): Promise<string> {
  const bytes = await unpack(body.raw, body.contentEncoding, most);
  const text = decodeUtf8(bytes);
  const form = isForm(text, body.contentType) ? parseForm(text) : undefined;
  const data = form?.get('data') ?? text;
  return (await decodeData(data, form?.get('compression') || body.compression, most)).trim();
}

/** The JSON text in a `data` parameter or field: JSON itself, base64 of it, or base64 of its gzip. Throws as `bodyText` does. */
export async function decodeData(data: string, compression: string, most = MAX_BODY_BYTES): Promise<string> {
  if (isJson(data)) return data;
  // A form parser turns an unescaped + of base64 into a space.
  const base64 = data.replaceAll(' ', '+').trim();
  if (compression !== 'base64' && !/^[\w+/=-]+$/.test(base64)) return data;
  const bytes = Buffer.from(base64, 'base64');
  return decodeUtf8(await unpack(bytes, '', most));
}

/** `layers` ends it: there are gzip files that unpack to themselves. */
async function unpack(bytes: Buffer, encoding: string, most: number, layers = 2): Promise<Buffer> {
  if (bytes.length > MAX_BODY_BYTES) throw new SluiceError('request_too_large');
  const kind = packing(bytes, encoding);
  if (!kind || layers === 0) return bytes;
  const options = { maxOutputLength: most };
  try {
    // Something on the way may have packed a packed body once more.
    const small = kind === 'gzip' && bytes.length <= SMALL_BODY_BYTES;
    const unpacked = small ? gunzipSync(bytes, options) : await unpackers[kind](bytes, options);
    return await unpack(unpacked, '', most, layers - 1);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      const detail = `The unpacked body is larger than ${most / 1024 / 1024} MB.`;
      throw new SluiceError('request_too_large', { detail });
    }
    throw new SluiceError('parse_error', { detail: `The body is not valid ${kind}.`, cause: error });
  }
}

/** How a body is packed: gzip by its first bytes, whatever the request says, the others by what it says. */
export function packing(bytes: Buffer, encoding: string): keyof typeof unpackers | undefined {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'gzip';
  const named = encoding.trim().toLowerCase();
  return named === 'br' || named === 'deflate' || named === 'zstd' ? named : undefined;
}

/** Some clients call JSON a form, so that browsers ask no questions first. */
function isForm(text: string, contentType: string): boolean {
  if (isJson(text)) return false;
  return (
    text.startsWith('data=') || contentType.toLowerCase().startsWith('application/x-www-form-urlencoded')
  );
}

function isJson(text: string): boolean {
  const first = text.trimStart().charAt(0);
  return first === '{' || first === '[';
}

/** Throws `parse_error` for a form of too many fields; two matter. */
function parseForm(text: string): URLSearchParams {
  refuseTooManyFields(text);
  return new URLSearchParams(text);
}

/** Bytes that are no UTF-8 become U+FFFD: one broken name must not lose a whole batch. */
function decodeUtf8(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
