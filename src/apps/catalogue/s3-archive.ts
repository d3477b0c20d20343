import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { awsConnection } from '../../export/destinations/aws-s3.ts';
import { limitsFor } from '../../export/destinations/s3/limits.ts';
import { openBucket } from '../../export/destinations/s3/target.ts';
import { compatibleConnection } from '../../export/destinations/s3-compatible.ts';
import { portionsOf } from '../../work/portions.ts';
import type { App, AppEvent, Batch, DeliveryContext } from './app.ts';
import { eventJson } from './event-json.ts';
import { urlProblems } from './url.ts';

/** A file every few minutes. Its key comes from the batch, so an attempt that is repeated writes the same object. */
export const s3Archive: App = {
  id: 3,
  name: 'S3 archive',
  slug: 's3-archive',
  description: 'Writes events to a bucket as gzip JSON Lines, a file every few minutes.',
  fields: [
    { key: 'bucket_name', title: 'Bucket', type: 'string', required: true },
    { key: 'region', title: 'Region', type: 'string', required: true, default: 'us-east-1' },
    { key: 'prefix', title: 'Key prefix', type: 'string', required: false, default: 'events' },
    {
      key: 'endpoint_url',
      title: 'Endpoint',
      type: 'string',
      required: false,
      hint: 'Of a store other than Amazon S3.',
    },
    { key: 'aws_access_key_id', title: 'Access key id', type: 'string', required: true, secret: true },
    {
      key: 'aws_secret_access_key',
      title: 'Secret access key',
      type: 'string',
      required: true,
      secret: true,
    },
  ],
  check: async (config, ports) => {
    const endpoint = config.endpoint_url ? await urlProblems('endpoint_url', config.endpoint_url, ports) : [];
    const isRegion = /^[a-z0-9][a-z0-9-]{0,62}$/i.test(String(config.region));
    return isRegion ? endpoint : [...endpoint, { key: 'region', detail: 'Is not the name of a region.' }];
  },
  orderedPerDistinctId: false,
  batch: { events: 20_000, bytes: 16_000_000, waitMs: 300_000 },
  metricCategory: 'exportEvents',
  methods: ['exportEvents'],
  deliver: async (batch, context) => {
    const body = await promisify(gzip)(await lines(batch.events));
    const { clock, random, checkHost, lookup } = context.ports;
    const ports = { clock, random, checkHost, lookup, filesRoot: '', onRetry: () => {} };
    const target = await openBucket(connectionOf(context), ports, PATIENCE);
    try {
      context.signal.throwIfAborted();
      await target.put(keyOf(batch, context), body, 'application/gzip', context.signal);
    } finally {
      await target.close();
    }
  },
};

/** As short as a webhook's: delivery repeats by itself, and until then the batch is held in memory. */
const PATIENCE = { ...limitsFor(30_000), attempts: 2 };

const EVENTS_PER_TURN = 500;

/** A file has 20,000 of them. */
async function lines(events: readonly AppEvent[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const portion of portionsOf(events, EVENTS_PER_TURN)) {
    parts.push(Buffer.from(portion.map((event) => `${eventJson(event)}\n`).join('')));
  }
  return Buffer.concat(parts);
}

function connectionOf({ config }: DeliveryContext) {
  const setup = { type: 'S3', config, integration: {} };
  return config.endpoint_url ? compatibleConnection(setup) : awsConnection(setup);
}

/** `events/2026/03/01/12/<batch>.jsonl.gz`, by the time of the last event. */
function keyOf({ id, endsAt }: Batch, { config }: DeliveryContext): string {
  const hour = new Date(endsAt).toISOString().slice(0, 13).replaceAll(/[-T]/g, '/');
  const prefix = String(config.prefix ?? '').replaceAll(/^\/+|\/+$/g, '');
  return `${prefix === '' ? '' : `${prefix}/`}${hour}/${id}.jsonl.gz`;
}
