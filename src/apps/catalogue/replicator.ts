import type { App, AppEvent } from './app.ts';
import { urlProblems } from './url.ts';

/** Events to the capture endpoint of another project, here or in any server that speaks PostHog's protocol. */
export const replicator: App = {
  id: 2,
  name: 'PostHog replicator',
  slug: 'posthog-replicator',
  description: 'Copies events to another project, with their ids and times.',
  fields: [
    {
      key: 'host',
      title: 'Host',
      type: 'string',
      required: true,
      hint: 'Where the other project is, for example https://eu.i.posthog.com',
    },
    {
      key: 'project_api_key',
      title: 'Project API key',
      type: 'string',
      required: true,
      secret: true,
      hint: 'Of the project that receives, phc_…',
    },
  ],
  check: (config, ports) => urlProblems('host', config.host, ports),
  orderedPerDistinctId: true,
  batch: { events: 500, bytes: 2_000_000, waitMs: 500 },
  metricCategory: 'exportEvents',
  methods: ['exportEvents'],
  deliver: (batch, { config, ports, signal }) => {
    const key = JSON.stringify(String(config.project_api_key));
    const events = batch.events.map(sentEvent).join(',');
    // Without `sent_at` the receiver takes the times as they are; with ip=0 it does not add our address to the events.
    return ports.post({
      url: `${String(config.host).replace(/\/+$/, '')}/batch/?ip=0`,
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': batch.id },
      body: `{"api_key":${key},"historical_migration":${batch.historical},"batch":[${events}]}`,
      signal,
    });
  },
};

/** The elements of a click are stored beside the properties and travel inside them. */
function sentEvent({ uuid, event, distinct_id, timestamp, properties, elements_chain }: AppEvent): string {
  const plain = JSON.stringify({ uuid, event, distinct_id, timestamp });
  return `${plain.slice(0, -1)},"properties":${withElements(properties, elements_chain)}}`;
}

function withElements(properties: string, chain: string): string {
  const text = properties.trim();
  if (!text.startsWith('{')) return chain ? JSON.stringify({ $elements_chain: chain }) : '{}';
  if (chain === '') return text;
  const rest = text.slice(1).trimStart();
  return `{"$elements_chain":${JSON.stringify(chain)}${rest.startsWith('}') ? '' : ','}${rest}`;
}
