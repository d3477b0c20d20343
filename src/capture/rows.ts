/**
 * Events encoded as ClickHouse's RowBinary, in the order of `EVENT_COLUMNS`. The arrival stamp of every
 * row is left open until the insert begins (`stampRows`).
 */
export interface EncodedRows {
  /** Shares its memory with nothing else, so that a thread can hand it over. */
  readonly bytes: Buffer<ArrayBuffer>;
  readonly count: number;
  /** Where each row's stamp begins in `bytes`. */
  readonly stampOffsets: Uint32Array<ArrayBuffer>;
}

export const EVENT_COLUMNS = [
  'uuid',
  'event',
  'properties',
  'timestamp',
  'team_id',
  'distinct_id',
  'elements_chain',
  'created_at',
  'person_id',
  'person_properties',
  'person_mode',
  '_timestamp',
  'inserted_at',
] as const;

/** A row of `events` but for its arrival stamp. Times are microseconds since the epoch, ids 16 bytes. */
export interface EventRow {
  readonly uuid: Uint8Array;
  readonly event: string;
  /** JSON text. */
  readonly properties: string;
  readonly timestampMicros: number;
  readonly distinctId: string;
  readonly elementsChain: string;
  readonly createdAtMicros: number;
  readonly personId: Uint8Array;
  /** JSON text. */
  readonly personProperties: string;
  readonly personMode: PersonMode;
}

/** The numbers behind the names in ClickHouse's enumeration. */
export const PERSON_MODES = { full: 0, propertyless: 1, force_upgrade: 2 } as const;
export type PersonMode = keyof typeof PERSON_MODES;

/** More than the ids, times and lengths between two texts take, so that only texts make room. */
const FIXED_BYTES = 128;
/** For text longer than this it pays to look how many bytes it takes, characters. */
const LONG_TEXT = 65_536;
/** `_timestamp` (4 bytes), the null flag of `inserted_at` (1) and its value (8). */
const STAMP_BYTES = 13;

/** Encodes events of one project. Text is UTF-8; a lone surrogate in it becomes U+FFFD. */
export function encodeRows(teamId: number, events: readonly EventRow[]): EncodedRows {
  const writer = new RowWriter(events.reduce((sum, { properties }) => sum + properties.length + 256, 256));
  const stampOffsets = new Uint32Array(events.length);
  for (const [index, event] of events.entries()) {
    writer.reserve(FIXED_BYTES);
    writer.uuid(event.uuid);
    writer.text(event.event);
    writer.text(event.properties);
    writer.int64(event.timestampMicros);
    writer.int64(teamId);
    writer.text(event.distinctId);
    writer.text(event.elementsChain);
    writer.int64(event.createdAtMicros);
    writer.uuid(event.personId);
    writer.text(event.personProperties);
    writer.byte(PERSON_MODES[event.personMode]);
    stampOffsets[index] = writer.skip(STAMP_BYTES);
  }
  return { bytes: writer.finish(), count: events.length, stampOffsets };
}

/** Writes the arrival stamp, microseconds since the epoch, into every row of `bytes` from `base` on. */
export function stampRows(bytes: Buffer, base: number, rows: EncodedRows, stampMicros: number): void {
  const seconds = Math.floor(stampMicros / 1e6);
  for (const offset of rows.stampOffsets) {
    bytes.writeUInt32LE(seconds, base + offset);
    bytes[base + offset + 4] = 0;
    writeInt64(bytes, stampMicros, base + offset + 5);
  }
}

class RowWriter {
  #bytes: Buffer<ArrayBuffer>;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Makes sure that the next `count` bytes fit. */
  reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  /** In one pass: room is left for the length that ASCII would have, and the bytes move when it took more. */
  text(value: string): void {
    this.reserve(mostBytes(value) + FIXED_BYTES);
    const room = varintSize(value.length);
    const start = this.#length + room;
    const size = this.#bytes.write(value, start);
    const taken = varintSize(size);
    if (taken !== room) this.#bytes.copyWithin(start + taken - room, start, start + size);
    let rest = size;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
    this.#length += size;
  }

  byte(value: number): void {
    this.#bytes[this.#length++] = value;
  }

  int64(value: number): void {
    writeInt64(this.#bytes, value, this.#length);
    this.#length += 8;
  }

  /** ClickHouse keeps a UUID as two 64-bit numbers, each with its lowest byte first. */
  uuid(value: Uint8Array): void {
    for (let index = 7; index >= 0; index--) this.byte(value[index] ?? 0);
    for (let index = 15; index >= 8; index--) this.byte(value[index] ?? 0);
  }

  /** Leaves `count` bytes open and says where they begin. */
  skip(count: number): number {
    const start = this.#length;
    this.#length += count;
    return start;
  }

  finish(): Buffer<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** At least what the text takes as UTF-8: a unit of UTF-16 becomes three bytes at most. */
function mostBytes(text: string): number {
  return text.length > LONG_TEXT ? Buffer.byteLength(text) : text.length * 3;
}

/** Bytes of LEB128. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Whole numbers up to ±2^53, without a BigInt for each. */
function writeInt64(bytes: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes.writeUInt32LE(value - high * 0x1_0000_0000, at);
  bytes.writeInt32LE(high, at + 4);
}
