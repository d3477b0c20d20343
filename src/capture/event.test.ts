import fc from 'fast-check';
import { stringify } from 'uuid';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import { type Arrival, captureEvent } from './event.ts';
import { readPayload } from './payload.ts';
import { personId } from './person-id.ts';

const nowMicros = Date.parse('2026-03-01T12:00:00Z') * 1000;
const NEW_UUID = '0195510c-2f80-7000-8000-000000000001';
const arrival: Arrival = {
  teamId: 1,
  nowMicros,
  sentAtMicros: null,
  historicalMigration: false,
  ip: null,
  personId,
  newUuid: () => Uint8Array.from(Buffer.from(NEW_UUID.replaceAll('-', ''), 'hex')),
};

function capture(text: string, parts: Partial<Arrival> = {}) {
  const payload = readPayload(text);
  const [sent] = payload.events();
  if (!sent) throw new Error('no event');
  return captureEvent(payload.text, sent, { ...arrival, sentAtMicros: payload.sentAtMicros, ...parts });
}

const withProperties = (json: string) => `{"event":"e","distinct_id":"d","properties":${json}}`;

function codeOf(text: string): unknown {
  try {
    const payload = readPayload(text);
    for (const sent of payload.events()) captureEvent(payload.text, sent, arrival);
  } catch (error) {
    return error instanceof SluiceError ? [error.code, error.attr] : error;
  }
  return null;
}

describe('captureEvent', () => {
  it('keeps properties byte for byte', () => {
    const hostile =
      '{"big":12345678901234567890,"f":1.10,"e":1e999,"dup":1,"dup":2,"nul":"\\u0000","half":"\\ud800","__proto__":{"x":1}}';
    expect(capture(withProperties(hostile)).properties).toBe(hostile);
  });

  it('keeps every JSON object as it was sent, an address added at its end', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.boolean(),
        (properties, ip) => {
          const json = JSON.stringify(properties);
          const stored = capture(withProperties(json), { ip: ip ? '1.2.3.4' : null }).properties;
          const added = ip && !('$ip' in properties) ? { $ip: '1.2.3.4' } : {};
          const dropped = new Set(['$elements', '$elements_chain']);
          const kept = Object.entries(JSON.parse(json)).filter(([key]) => !dropped.has(key));
          expect(JSON.parse(stored)).toEqual({ ...Object.fromEntries(kept), ...added });
        },
      ),
    );
  });

  it.each([
    ['{}', '{"$ip":"9.9.9.9"}'],
    ['{ }', '{"$ip":"9.9.9.9"}'],
    ['null', '{"$ip":"9.9.9.9"}'],
    ['{"a":1 }', '{"a":1,"$ip":"9.9.9.9"}'],
    ['{"$ip":"1.1.1.1"}', '{"$ip":"1.1.1.1"}'],
  ])('adds the address to %s', (json, stored) => {
    expect(capture(withProperties(json), { ip: '9.9.9.9' }).properties).toBe(stored);
  });

  it('moves $set and $set_once into the properties, over what is there', () => {
    const text =
      '{"event":"e","distinct_id":"d","$set":{"a":12345678901234567890,"b":2},"$set_once":{"c":3},' +
      '"properties":{"x":1,"$set":{"b":1,"z":1}}}';
    expect(capture(text).properties).toBe(
      '{"x":1,"$set":{"z":1,"a":12345678901234567890,"b":2},"$set_once":{"c":3}}',
    );
  });

  it('turns $elements into a chain and lets a ready chain pass', () => {
    const built = capture(withProperties('{"a":1,"$elements":[{"tag_name":"a","nth_child":1}],"b":2}'));
    expect(built).toMatchObject({
      properties: '{"a":1,"b":2}',
      elementsChain: 'a:nth-child="1"nth-of-type="0"',
    });
    const ready = capture(withProperties('{"$elements_chain":"button:x","$elements":[]}'));
    expect(ready).toMatchObject({ properties: '{}', elementsChain: 'button:x' });
  });

  it.each([
    ['"distinct_id":"d"', 'd'],
    ['"distinct_id":12345678901234567890', '12345678901234567890'],
    ['"distinct_id":0', '0'],
    ['"distinct_id":" d\\n"', ' d\n'],
    ['"distinct_id":"  "', '  '],
    ['"distinct_id":"a\\u0000b"', 'a\uFFFDb'],
    ['"distinct_id":{"a": 1}', '{"a": 1}'],
    ['"$distinct_id":"m"', 'm'],
    ['"distinct_id":null,"properties":{"distinct_id":"p"}', 'p'],
    ['"properties":{"distinct_id":98765432109876543210}', '98765432109876543210'],
    [`"distinct_id":"${'x'.repeat(300)}"`, 'x'.repeat(200)],
    [`"distinct_id":"${'x'.repeat(199)}🙂"`, 'x'.repeat(199)],
  ])('reads the distinct id of %s', (member, id) => {
    expect(capture(`{"event":"e",${member}}`).distinctId).toBe(id);
  });

  it('keeps white space in names', () => {
    expect(capture('{"event":" e ","distinct_id":"d"}').event).toBe(' e ');
    expect(capture('{"event":" ","distinct_id":"d"}').event).toBe(' ');
  });

  it('keeps a valid uuid and makes one otherwise', () => {
    const uuid = '018f3c5e-0000-7abc-8def-0123456789ab';
    expect(stringify(capture(`{"event":"e","distinct_id":"d","uuid":"${uuid.toUpperCase()}"}`).uuid)).toBe(
      uuid,
    );
    const odd = 'ffffffff-1111-ffff-0000-000000000000';
    expect(Buffer.from(capture(`{"event":"e","distinct_id":"d","uuid":"${odd}"}`).uuid).toString('hex')).toBe(
      odd.replaceAll('-', ''),
    );
    expect(stringify(capture('{"event":"e","distinct_id":"d"}').uuid)).toBe(NEW_UUID);
  });

  it('makes the same id of the same text that is none, each project its own, but not of what stands for none', () => {
    const idOf = (id: string, teamId = 1) =>
      stringify(capture(`{"event":"e","distinct_id":"d","uuid":${id}}`, { teamId }).uuid);
    expect(idOf('"order-1"')).toBe(idOf('"order-1"'));
    expect(new Set([idOf('"order-1"'), idOf('"order-2"'), idOf('"order-1"', 2), NEW_UUID]).size).toBe(4);
    expect(idOf('7')).toBe(idOf('"7"'));
    const counted = (url: string) =>
      stringify(capture(`{"event":"e","distinct_id":"d","uuid":1,"properties":{"url":"${url}"}}`).uuid);
    expect(counted('/a')).toBe(counted('/a'));
    expect(counted('/a')).not.toBe(counted('/b'));
    for (const none of ['""', 'null', '{}', '" "', '"undefined"', '"NaN"']) expect(idOf(none)).toBe(NEW_UUID);
  });

  it('corrects the clock by sent_at, but not when told to leave it', () => {
    const event = (more: string) =>
      `{"event":"e","distinct_id":"d","timestamp":"2026-03-01T12:59:00Z","sent_at":"2026-03-01T13:00:00Z"${more}}`;
    const hour = 3_600_000_000;
    const minute = 60_000_000;
    expect(capture(event('')).timestampMicros).toBe(nowMicros - minute);
    expect(capture(event(',"properties":{"$ignore_sent_at":true}')).timestampMicros).toBe(
      nowMicros + hour - minute,
    );
    expect(capture(event(''), { historicalMigration: true }).timestampMicros).toBe(nowMicros + hour - minute);
  });

  it('knows events without a person profile', () => {
    expect(capture(withProperties('{"$process_person_profile":false}')).personMode).toBe('propertyless');
    expect(capture(withProperties('{}')).personMode).toBe('full');
  });

  it.each([
    ['', ['parse_error', null]],
    ['{', ['parse_error', null]],
    ['3', ['incorrect_type', null]],
    ['[]', ['empty', null]],
    ['{"batch":[]}', ['empty', 'batch']],
    ['{"batch":{}}', ['not_a_list', 'batch']],
    ['{"batch":[1]}', ['incorrect_type', 'batch__0']],
    ['[{"event":"e","distinct_id":"d"},null]', ['incorrect_type', '1']],
    ['{"distinct_id":"d"}', ['required', 'event']],
    ['{"event":null,"distinct_id":"d"}', ['required', 'event']],
    ['{"event":"","distinct_id":"d"}', ['blank', 'event']],
    ['{"event":7,"distinct_id":"d"}', ['incorrect_type', 'event']],
    ['{"event":"e"}', ['required', 'distinct_id']],
    ['{"event":"e","distinct_id":""}', ['blank', 'distinct_id']],
    ['{"batch":[{"event":"e","distinct_id":"d"},{"event":"e"}]}', ['required', 'batch__1__distinct_id']],
    [withProperties('[1]'), ['incorrect_type', 'properties']],
    [withProperties('"{}"'), ['incorrect_type', 'properties']],
    ['[{"token":"a"},{"token":"b"}]', ['invalid_input', 'api_key']],
  ])('refuses %s', (text, expected) => expect(codeOf(text)).toEqual(expected));
});

describe('readPayload', () => {
  it.each([
    ['{"api_key":"k","batch":[{}]}', 'k'],
    ['{"token":"k","batch":[{}]}', 'k'],
    ['{"batch":[{"properties":{"token":"k"}}]}', 'k'],
    ['[{"api_key":"k"},{}]', 'k'],
    ['{"$token":"k"}', 'k'],
    ['{"api_key":7}', null],
    ['{}', null],
  ])('finds the project key of %s', (text, token) => expect(readPayload(text).token).toBe(token));

  it('follows the last of duplicate keys, as JSON.parse does', () => {
    const text = '{"event":"e","distinct_id":"d","properties":{"a":1},"properties":{"b":2}}';
    expect(capture(text).properties).toBe('{"b":2}');
  });
});
