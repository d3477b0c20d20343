import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluiceError } from '../errors/error.ts';
import type { Clock } from '../work/clock.ts';
import type { Batcher } from './batcher.ts';
import { captureEvent } from './event.ts';
import type { Payload, SentEvent } from './payload.ts';
import type { PersonIds } from './person-id.ts';
import { type EncodedRows, type EventRow, encodeRows } from './rows.ts';

export interface CapturePorts {
  /** The project a key (`phc_…`) belongs to. */
  projectByKey(key: string): Promise<{ readonly id: number } | null>;
  readonly batcher: Pick<Batcher, 'add'>;
  readonly clock: Pick<Clock, 'now'>;
  /** A new UUIDv7, 16 bytes. */
  newUuid(): Uint8Array;
  readonly personId: PersonIds;
  /** Whether the client's address is kept as the property `$ip`. */
  readonly keepIp: boolean;
}

export interface Sender {
  /** The project key, where the request has it. */
  readonly key: string | null;
  /** null = the sender does not want it kept. */
  readonly ip: string | null;
}

/**
 * Stores what `read` makes of a request, all of its events or none. Resolves when ClickHouse has stored them. Throws what
 * `read` throws, and `unavailable` when the events should be sent again.
 *
 * A request that waits for its insert keeps only the encoded rows, off the heap: the garbage collector carried its text and
 * the values that it was read into along.
 */
export async function store(read: () => Promise<EncodedRows>, ports: CapturePorts): Promise<void> {
  await ports.batcher.add(await read());
}

/**
 * Encodes all events of a request. Throws `not_authenticated` or `authentication_failed` for the project key, a validation
 * error for the first event that cannot be kept.
 */
export async function encode(payload: Payload, sender: Sender, ports: CapturePorts): Promise<EncodedRows> {
  const nowMicros = ports.clock.now() * 1000;
  const project = await authenticate(sender.key, ports);
  const arrival = {
    teamId: project.id,
    nowMicros,
    sentAtMicros: payload.sentAtMicros,
    historicalMigration: payload.historicalMigration,
    ip: ports.keepIp ? sender.ip : null,
    newUuid: ports.newUuid,
    personId: ports.personId,
  };
  const events: EventRow[] = [];
  const wanted = payload.events.filter(isKept);
  for (const [index, sent] of wanted.entries()) {
    events.push(captureEvent(payload.text, sent, arrival));
    // 20 MB of events take half a second: let other requests in between.
    if (index % EVENTS_PER_TURN === EVENTS_PER_TURN - 1) await nextTurn();
  }
  return encodeRows(project.id, events);
}

const EVENTS_PER_TURN = 1000;

async function authenticate(key: string | null, ports: CapturePorts): Promise<{ readonly id: number }> {
  if (key === null) {
    throw new SluiceError('not_authenticated', {
      attr: 'api_key',
      detail: 'The request has no project key: send it as "api_key".',
    });
  }
  const project = await ports.projectByKey(key);
  if (project) return project;
  throw new SluiceError('authentication_failed', {
    attr: 'api_key',
    detail: 'There is no project with this key. A project key starts with "phc_".',
  });
}

/** Pieces of session recordings, which Sluice does not store; old clients send them with the events. */
const REPLAY_EVENTS: ReadonlySet<unknown> = new Set(['$snapshot', '$snapshot_items', '$performance_event']);

function isKept(sent: SentEvent): boolean {
  return !REPLAY_EVENTS.has(sent.value.event);
}
