import { createHmac } from 'node:crypto';
import type { App, AppEvent } from './app.ts';
import { eventJson } from './event-json.ts';
import { urlProblems } from './url.ts';

const oneByOne = ({ shape }: Readonly<Record<string, unknown>>): boolean => shape === 'single event';

/**
 * Batches as JSON to a URL. The body is signed when the config has a secret: `X-Sluice-Signature` is the hex
 * HMAC-SHA256 of `<X-Sluice-Timestamp>.<body>`, so that an old request cannot be sent again by someone else.
 */
export const webhook: App = {
  id: 1,
  name: 'Webhook',
  slug: 'webhook',
  description: 'Sends events as JSON to a URL of yours, in batches or one by one.',
  fields: [
    { key: 'url', title: 'URL', type: 'string', required: true, hint: 'https://example.com/events' },
    {
      key: 'secret',
      title: 'Signing secret',
      type: 'string',
      required: false,
      secret: true,
      hint: 'X-Sluice-Signature is the hex HMAC-SHA256 of "<X-Sluice-Timestamp>.<body>" under this secret.',
    },
    {
      key: 'authorization',
      title: 'Authorization header',
      type: 'string',
      required: false,
      secret: true,
      hint: 'Sent as it is, for example: Bearer …',
    },
    {
      key: 'shape',
      title: 'Body of a request',
      type: 'choice',
      required: false,
      default: 'batch',
      choices: ['batch', 'single event'],
      hint: 'A batch is {"batch_id", "historical", "events": […]}; a single event is the event alone.',
    },
  ],
  check: async (config, ports) => {
    const problems = [...(await urlProblems('url', config.url, ports))];
    // A line break would end the header.
    if (/[^\t\x20-\x7e]/.test(String(config.authorization ?? ''))) {
      problems.push({ key: 'authorization', detail: 'Only printable ASCII characters may be in a header.' });
    }
    return problems;
  },
  orderedPerDistinctId: true,
  oneByOne,
  batch: { events: 200, bytes: 1_000_000, waitMs: 500 },
  metricCategory: 'webhook',
  methods: ['onEvent', 'exportEvents'],
  deliver: async (batch, { config, ports, signal, onTaken }) => {
    const send = (body: string, id: string) =>
      ports.post({
        url: String(config.url),
        headers: {
          'Content-Type': 'application/json',
          'Idempotency-Key': id,
          ...signature(config.secret, body, ports.clock.now()),
          ...(config.authorization ? { Authorization: String(config.authorization) } : {}),
        },
        body,
        signal,
      });
    if (!oneByOne(config)) return send(batchBody(batch), batch.id);
    for (const event of batch.events) {
      await send(eventJson(event), event.uuid);
      onTaken();
    }
  },
};

const batchBody = (batch: { id: string; historical: boolean; events: readonly AppEvent[] }): string =>
  `{"batch_id":"${batch.id}","historical":${batch.historical},"events":[${batch.events.map(eventJson).join(',')}]}`;

function signature(secret: unknown, body: string, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  if (typeof secret !== 'string' || secret === '') return { 'X-Sluice-Timestamp': timestamp };
  const mac = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return { 'X-Sluice-Timestamp': timestamp, 'X-Sluice-Signature': mac };
}
