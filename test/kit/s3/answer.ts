import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Call, callOf, type Operation, type Reply } from './call.ts';
import { type FaultAction, type Faults, faulty } from './faults.ts';
import type { Manners } from './manners.ts';
import { operate } from './operate.ts';
import { paced } from './pace.ts';
import { S3Error } from './s3-error.ts';
import { send, sendError, sendForEver } from './send.ts';
import { type Credentials, verifySignature } from './signature.ts';
import type { Store } from './store.ts';

export interface World {
  readonly store: Store;
  readonly faults: Faults;
  readonly journal: Journal[];
  readonly manners: Manners;
  readonly region: string;
  readonly credentials: Credentials;
  readonly hosts: readonly string[];
}

/** One request, as the server saw it. */
export interface Journal {
  readonly operation: Operation;
  readonly bucket: string;
  readonly key: string;
  readonly part: number | null;
  /** Without the authorization. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** 0 = not answered. */
  status: number;
  code: string | null;
  readonly faults: readonly FaultAction[];
}

/** Understands, checks, does and answers one request. Never throws. */
export async function answer(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let entry: Journal | undefined;
  try {
    const call = callOf(request, world.hosts);
    const actions = world.faults.strike(call);
    entry = entryOf(call, actions);
    world.journal.push(entry);
    if (faulty(actions, 'hang')) return;
    const endless = faulty(actions, 'endless');
    if (endless) {
      entry.status = endless.endless;
      await sendForEver(request, response, endless.endless);
      return;
    }
    const reset = faulty(actions, 'reset');
    if (reset && reset.afterBytes === undefined) {
      request.socket.resetAndDestroy();
      return;
    }
    const offset = faulty(actions, 'skewMs')?.skewMs ?? 0;
    const now = () => Date.now() + offset;
    response.setHeader('date', new Date(now()).toUTCString());
    const reply = await perform(world, call, bodyOf(request, actions), actions, now);
    if (faulty(actions, 'dropReplyAfterCommit')) {
      request.socket.resetAndDestroy();
      return;
    }
    entry.status = reply.status;
    await send(request, response, reply, actions);
  } catch (error) {
    const failure = error instanceof S3Error ? error : null;
    if (entry) {
      entry.status = failure?.status ?? 0;
      entry.code = failure?.code ?? null;
    }
    if (failure) await sendError(request, response, failure).catch(() => request.destroy());
    else request.socket.resetAndDestroy();
  }
}

async function perform(
  world: World,
  call: Call,
  body: AsyncIterable<Buffer>,
  actions: readonly FaultAction[],
  now: () => number,
): Promise<Reply> {
  const error = faulty(actions, 'status');
  if (error) {
    const extra = { ...(error.region ? { Region: error.region } : {}) };
    throw S3Error.injected(error.code, error.status, extra);
  }
  const signed = verifySignature(call, world.credentials, world.region, now());
  const reply = await operate(world, call, signed, body, now);
  return faulty(actions, 'wrongETag') ? withWrongETag(reply) : reply;
}

/** The request's bytes, at the pace and up to the point that the faults ask for. */
async function* bodyOf(request: IncomingMessage, actions: readonly FaultAction[]): AsyncGenerator<Buffer> {
  const slow = faulty(actions, 'slow');
  const reset = faulty(actions, 'reset');
  // What refuses a body half-way must still be able to answer on the same connection.
  const source = request.iterator({ destroyOnReturn: false });
  let bytes = 0;
  for await (const chunk of slow ? paced(source, slow.slow) : source) {
    bytes += chunk.length;
    if (reset && bytes > (reset.afterBytes ?? 0)) {
      request.socket.resetAndDestroy();
      throw new Error('The connection was reset, as the fault asks.');
    }
    yield chunk;
  }
}

function withWrongETag(reply: Reply): Reply {
  const wrong = '"00000000000000000000000000000000"';
  const body =
    typeof reply.body === 'string' ? reply.body.replace(/&quot;[0-9a-f-]+&quot;/, wrong) : reply.body;
  return { ...reply, headers: { ...reply.headers, etag: wrong }, ...(body === undefined ? {} : { body }) };
}

function entryOf(call: Call, faults: readonly FaultAction[]): Journal {
  const part = call.query.get('partNumber');
  const { authorization: _secret, ...headers } = call.headers;
  return {
    operation: call.operation,
    bucket: call.bucket,
    key: call.key,
    part: part === null ? null : Number(part),
    headers,
    status: 0,
    code: null,
    faults,
  };
}
