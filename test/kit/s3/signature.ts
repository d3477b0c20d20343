import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Call } from './call.ts';
import { S3Error } from './s3-error.ts';

/**
 * AWS Signature Version 4, from the side of the server: headers and presigned queries. Written from
 * Amazon's description of the algorithm, independent of the SDK that the tests drive it with.
 */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What the body's own signatures go on from (chunked uploads). */
export interface Signed {
  readonly payload: string;
  readonly date: string;
  readonly scope: string;
  readonly signature: string;
  readonly signingKey: Buffer;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_SKEW_MS = 15 * 60_000;

/** Throws S3's error unless the call is signed with the credentials. `now` is the server's clock. */
export function verifySignature(call: Call, credentials: Credentials, region: string, now: number): Signed {
  const claim = call.query.has('X-Amz-Signature') ? presignedClaim(call, now) : headerClaim(call, now);
  const [accessKeyId, date, claimedRegion, service, terminator] = claim.credential.split('/');
  if (accessKeyId !== credentials.accessKeyId) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  if (claimedRegion !== region || service !== 's3' || terminator !== 'aws4_request') {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      `The region '${claimedRegion}' is wrong; expecting '${region}'`,
      {
        Region: region,
      },
    );
  }
  if (date !== claim.date.slice(0, 8)) {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      'The date of the credential is not that of the request.',
    );
  }
  checkSignedHeaders(call, claim.signedHeaders);
  const scope = `${date}/${region}/s3/aws4_request`;
  const text = [ALGORITHM, claim.date, scope, sha256(canonicalRequest(call, claim))].join('\n');
  const signingKey = [date, region, 's3', 'aws4_request'].reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  );
  const expected = hmac(signingKey, text);
  const given = Buffer.from(claim.signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    );
  }
  return { payload: claim.payload, date: claim.date, scope, signature: claim.signature, signingKey };
}

/** The signature of one chunk or of the trailer, which chains to the one before. */
export function chainSignature(
  signed: Signed,
  previous: string,
  kind: 'PAYLOAD' | 'TRAILER',
  hash: string,
): string {
  const empty = kind === 'PAYLOAD' ? [sha256('')] : [];
  const text = [`${ALGORITHM}-${kind}`, signed.date, signed.scope, previous, ...empty, hash].join('\n');
  return hmac(signed.signingKey, text).toString('hex');
}

interface Claim {
  readonly credential: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly date: string;
  readonly payload: string;
}

function headerClaim(call: Call, now: number): Claim {
  const header = call.headers.authorization;
  if (!header) throw new S3Error('AccessDenied', 'Access Denied');
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(header);
  if (!match) throw new S3Error('AuthorizationHeaderMalformed', 'The authorization header is malformed.');
  const payload = headerOf(call, 'x-amz-content-sha256');
  if (!payload)
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  const date = headerOf(call, 'x-amz-date') ?? '';
  const at = timeOf(date);
  if (Math.abs(now - at) > MAX_SKEW_MS) {
    throw new S3Error(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
      {
        RequestTime: date,
        ServerTime: new Date(now).toISOString(),
      },
    );
  }
  const [, credential = '', signedHeaders = '', signature = ''] = match;
  return { credential, signedHeaders: signedHeaders.split(';'), signature, date, payload };
}

function presignedClaim(call: Call, now: number): Claim {
  const get = (name: string) => call.query.get(`X-Amz-${name}`) ?? '';
  const date = get('Date');
  const at = timeOf(date);
  const seconds = Number(get('Expires'));
  if (get('Algorithm') !== ALGORITHM || !(seconds > 0 && seconds <= 604_800)) {
    throw new S3Error('InvalidArgument', 'The query of the presigned request is malformed.');
  }
  if (now > at + seconds * 1000) throw new S3Error('AccessDenied', 'Request has expired');
  if (at > now + MAX_SKEW_MS) throw new S3Error('AccessDenied', 'Request is not valid yet');
  return {
    credential: get('Credential'),
    signedHeaders: get('SignedHeaders').split(';'),
    signature: get('Signature'),
    date,
    payload: get('Content-Sha256') || headerOf(call, 'x-amz-content-sha256') || 'UNSIGNED-PAYLOAD',
  };
}

function timeOf(date: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (!match)
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function checkSignedHeaders(call: Call, signed: readonly string[]): void {
  const must = Object.keys(call.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const missing = must.filter((name) => !signed.includes(name));
  if (missing.length > 0) {
    throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
      HeadersNotSigned: missing.join(', '),
    });
  }
}

function canonicalRequest(call: Call, claim: Claim): string {
  const query = [...call.query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort();
  const headers = claim.signedHeaders.map(
    (name) => `${name}:${(headerOf(call, name) ?? '').trim().replace(/ +/g, ' ')}\n`,
  );
  const path = call.rawPath
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/');
  return [
    call.method,
    path,
    query.join('&'),
    headers.join(''),
    claim.signedHeaders.join(';'),
    claim.payload,
  ].join('\n');
}

function headerOf(call: Call, name: string): string | undefined {
  const value = call.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** RFC 3986: everything but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
