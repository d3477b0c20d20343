import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import { BodyRoom, drain } from './body-room.ts';

const tooLarge = () => new SluiceError('request_too_large');

/** A body that is sent by and by, and what became of it: its bytes, or the code of the refusal. */
function sent(room: BodyRoom, most = 1000) {
  const payload = new PassThrough();
  const outcome = room.read(payload, most, tooLarge).then(
    (body) => body.toString(),
    (error: SluiceError) => error.code,
  );
  const send = async (bytes: number) => {
    payload.write(Buffer.alloc(bytes, 'x'));
    await turn();
  };
  return { payload, outcome, send };
}

it('reads a body that comes in pieces', async () => {
  const { payload, outcome, send } = sent(new BodyRoom());
  for (let n = 0; n < 3; n++) await send(2);
  payload.end('y');
  expect(await outcome).toBe('xxxxxxy');
});

it('refuses one that is too large as soon as it is, and lets the rest of it pass', async () => {
  const { payload, outcome, send } = sent(new BodyRoom(), 5);
  await send(6);
  expect(await outcome).toBe('request_too_large');
  for (let n = 0; n < 10; n++) await send(1_000_000);
  expect(payload.readableLength).toBe(0);
});

it.each(['error', 'close'])('is told of one that breaks off (%s)', async (how) => {
  const { payload, outcome, send } = sent(new BodyRoom());
  await send(2);
  payload.destroy(how === 'error' ? new Error('aborted') : undefined);
  expect(await outcome).toBe('parse_error');
  await expect(new BodyRoom().read(payload, 10, tooLarge)).rejects.toMatchObject({ code: 'parse_error' });
});

it('sends the largest of those away that are held back, when there is no room for more', async () => {
  const room = new BodyRoom(100);
  const large = sent(room);
  const small = sent(room);
  await large.send(60);
  await small.send(30);
  const late = sent(room);
  await late.send(20);
  await expect(large.outcome).resolves.toBe('unavailable');
  await late.send(40);
  small.payload.end();
  late.payload.end();
  expect(await small.outcome).toHaveLength(30);
  expect(await late.outcome).toHaveLength(60);
  // What has come in whole, or was sent away, takes none.
  const next = sent(room);
  await next.send(100);
  next.payload.end();
  expect(await next.outcome).toHaveLength(100);
});

it('keeps nothing of what nobody reads', async () => {
  const payload = new PassThrough();
  const passed = drain(payload, 10_000_000);
  for (let n = 0; n < 10; n++) {
    payload.write(Buffer.alloc(1_000_000));
    await turn();
    expect(payload.readableLength).toBe(0);
  }
  payload.end();
  await passed;
  const larger = new PassThrough();
  const refused = expect(drain(larger, 10)).rejects.toMatchObject({ code: 'request_too_large' });
  larger.write('x'.repeat(11));
  await refused;
});
