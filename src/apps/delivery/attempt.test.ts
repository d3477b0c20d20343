import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import type { App, AppEvent, DeliveryContext } from '../catalogue/app.ts';
import { attempt } from './attempt.ts';
import type { DeliverPorts } from './ports.ts';
import { startOf } from './position.ts';
import type { Delivery } from './store.ts';

const places = [1, 2, 3, 4].map(startOf);
const events = places.map(({ first }) => ({ uuid: `u${first}` }) as AppEvent);
const batch = { id: 'a', after: startOf(0), until: startOf(4), events: 4, bytes: null, attempts: 0 };
const ports = { onStep: () => {} } as unknown as DeliverPorts;
const delivery = { pluginConfigId: 1, teamId: 1, config: {}, job: null } as unknown as Delivery;

/** What becomes of a batch of which so many events are taken, one by one, when it is cut off. */
async function cutOffAfter(taken: number) {
  const cut = new AbortController();
  const deliver = async (_: unknown, { onTaken, signal }: DeliveryContext) => {
    for (let n = 0; n < taken; n++) onTaken();
    const aborted = once(signal, 'abort');
    cut.abort(new Error('another config'));
    await aborted;
    signal.throwIfAborted();
  };
  const app = { deliver } as unknown as App;
  return attempt(ports, app, delivery, batch, { events, positions: places }, cut.signal);
}

it('of a batch that is cut off, the events that were taken one by one are not forgotten', async () => {
  expect(await cutOffAfter(3)).toMatchObject({
    kind: 'begun',
    first: { after: startOf(0), until: startOf(3), events: 3 },
    rest: { after: startOf(3), until: startOf(4), events: 1 },
    next: null,
  });
  expect(await cutOffAfter(4)).toEqual({ kind: 'delivered', events: 4 });
  await expect(cutOffAfter(0)).rejects.toThrow('another config');
});

it('an app that takes too long is not waited for, whether it minds its signal or not', async () => {
  const late = new AbortController();
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(late.signal);
  try {
    const app = { fields: [], deliver: () => new Promise(() => {}) } as unknown as App;
    const never = new AbortController().signal;
    const outcome = attempt(ports, app, delivery, batch, { events, positions: places }, never);
    late.abort(new Error('too late'));
    expect(await outcome).toMatchObject({ kind: 'later', error: { name: 'destination_unavailable' } });
  } finally {
    timeout.mockRestore();
  }
});
