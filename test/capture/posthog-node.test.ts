import { PostHog } from 'posthog-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { demoEvents } from '../../src/demo/events.ts';
import { type Capture, KEY, startCapture, stored } from './start-capture.ts';

let capture: Capture;
beforeAll(async () => {
  capture = await startCapture();
});
afterAll(() => capture.close());

/** The real client; its own retries wait 3 s, ours here 0.1 s. */
function client(more: ConstructorParameters<typeof PostHog>[1] = {}) {
  const posthog = new PostHog(KEY, { host: capture.url, fetchRetryDelay: 100, ...more });
  const errors: unknown[] = [];
  posthog.on('error', (error: unknown) => errors.push(error));
  return { posthog, errors };
}

describe('posthog-node', () => {
  it.each([
    ['gzip', {}],
    ['plain', { disableCompression: true }],
  ])('stores a demo day exactly once (%s)', async (name, options) => {
    const { posthog, errors } = client({ ...options, flushAt: 300, maxBatchSize: 300 });
    const range = { start: new Date('2026-03-01'), end: new Date('2026-03-02') };
    const events = demoEvents({ seed: 11, ...range, count: 2000 });
    for (const event of events)
      posthog.capture({ ...event, event: name, properties: { ...event.properties, demo: event.event } });
    await posthog.shutdown(30_000);
    expect(errors).toEqual([]);
    const rows = await stored(capture.warehouse, name);
    expect(rows.map(({ uuid }) => uuid).sort()).toEqual(events.map(({ uuid }) => uuid).sort());
    const byId = new Map(rows.map((row) => [row.uuid, row]));
    for (const event of events) {
      const { $elements, ...properties } = event.properties;
      expect(JSON.parse(byId.get(event.uuid)?.properties ?? '')).toMatchObject(
        JSON.parse(JSON.stringify(properties)),
      );
      expect(byId.get(event.uuid)?.elements_chain !== '').toBe($elements !== undefined);
    }
  });

  it('keeps timestamps to the microsecond in a historical migration', async () => {
    const { posthog } = client({ historicalMigration: true });
    const timestamp = new Date('2019-05-06T07:08:09.123Z');
    posthog.capture({ distinctId: 'old', event: 'old', timestamp });
    await posthog.shutdown();
    expect(await stored(capture.warehouse, 'old')).toMatchObject([
      { timestamp: '2019-05-06 07:08:09.123000' },
    ]);
  });

  it('sends what is left when it shuts down, $set included', async () => {
    const { posthog } = client({ flushAt: 1000, flushInterval: 600_000 });
    posthog.capture({ distinctId: 'a', event: 'left' });
    posthog.identify({ distinctId: 'a', properties: { $set: { plan: 'plus' }, $set_once: { first: 1 } } });
    await posthog.shutdown();
    expect(await stored(capture.warehouse, 'left')).toHaveLength(1);
    const [identify] = await stored(capture.warehouse, '$identify');
    expect(JSON.parse(identify?.properties ?? '')).toMatchObject({
      $set: { plan: 'plus' },
      $set_once: { first: 1 },
    });
  });

  it('stores events of language models, which have an endpoint of their own', async () => {
    const { posthog, errors } = client();
    posthog.captureAi({ distinctId: 'a', event: '$ai_generation', properties: { $ai_model: 'm' } });
    posthog.capture({ distinctId: 'a', event: 'beside' });
    await posthog.shutdown();
    expect(errors).toEqual([]);
    expect(await stored(capture.warehouse, 'beside')).toHaveLength(1);
    const [row] = await stored(capture.warehouse, '$ai_generation');
    expect(JSON.parse(row?.properties ?? '')).toMatchObject({ $ai_model: 'm', $lib: 'posthog-node' });
  });

  it('is told of a bad event by protocol v1, and the others are stored', async () => {
    vi.stubEnv('POSTHOG_CAPTURE_MODE', 'v1');
    const { posthog, errors } = client();
    vi.unstubAllEnvs();
    posthog.capture({ distinctId: 'a', event: '' });
    posthog.capture({ distinctId: 'a', event: 'v1 good' });
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    await posthog.shutdown();
    print.mockRestore();
    expect(errors).toMatchObject([{ drops: [{ details: 'blank: event' }] }]);
    expect(await stored(capture.warehouse, 'v1 good')).toHaveLength(1);
    expect(await stored(capture.warehouse, '')).toEqual([]);
  });

  it('gets empty answers about feature flags and starts without errors', async () => {
    const { posthog, errors } = client();
    expect(await posthog.getAllFlags('a')).toEqual({});
    await posthog.shutdown();
    expect(errors).toEqual([]);
  });

  it('is told by name when the key is wrong, and nothing is stored', async () => {
    // The client also prints what it is told.
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const posthog = new PostHog('phc_wrong', { host: capture.url });
    const statuses: unknown[] = [];
    posthog.on('error', (error: { status?: number }) => statuses.push(error.status));
    posthog.capture({ distinctId: 'a', event: 'refused' });
    await posthog.shutdown();
    print.mockRestore();
    expect(statuses).toEqual([401]);
    expect(await stored(capture.warehouse, 'refused')).toEqual([]);
  });
});

describe('when the engine stops', () => {
  it('answers 503 and loses nothing: the client sends again', async () => {
    await capture.stopEngine();
    const body = JSON.stringify({ api_key: KEY, batch: [{ event: 'raw', distinct_id: 'd' }] });
    const answer = await fetch(`${capture.url}/batch/`, { method: 'POST', body });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await answer.json()).toMatchObject({ type: 'server_error', code: 'unavailable' });

    const { posthog } = client({ fetchRetryCount: 200 });
    for (let n = 0; n < 50; n++) posthog.capture({ distinctId: 'd', event: 'outage', properties: { n } });
    const flushed = posthog.flush();
    await capture.startEngine();
    await flushed;
    await posthog.shutdown();
    const rows = await stored(capture.warehouse, 'outage');
    expect(rows.map(({ properties }) => JSON.parse(properties).n).sort((a, b) => a - b)).toEqual([
      ...Array(50).keys(),
    ]);
    expect(await stored(capture.warehouse, 'raw')).toEqual([]);
    expect(capture.batcher.oldestInFlight()).toBeNull();
  });
});
