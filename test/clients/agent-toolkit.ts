import { PostHogAgentToolkit } from '@posthog/agent-toolkit';
import { type Client, type Described, Refused } from './client.ts';

/** Its raw client is typed by a description of its own; here it is called by ours. */
type Raw = Readonly<
  Record<'get' | 'post' | 'put' | 'patch' | 'delete', (path: string, input: unknown) => Promise<unknown>>
>;

/** Its types want a whole object of every POST, of pausing and cancelling as well. */
const WHOLE = { id: crypto.randomUUID(), name: 'whole', status: 'Running', paused: true, latest_runs: [] };

/** PostHog's own client for tools, which knows the paths of exports, runs and backfills. */
export async function agentToolkit(
  server: { readonly url: string; readonly key: string },
  operations: ReadonlyMap<string, Described>,
): Promise<Client> {
  const toolkit = new PostHogAgentToolkit({
    posthogApiToken: server.key,
    posthogApiBaseUrl: server.url,
  });
  const { api } = await toolkit.getContext();
  const raw = api.generated as unknown as Raw;
  return {
    call: async (operationId, input = {}) => {
      const { method, path } = operations.get(operationId) ?? missing(operationId);
      try {
        return await raw[method as keyof Raw](path, method === 'post' ? { body: WHOLE, ...input } : input);
      } catch (error) {
        throw understood(error);
      }
    },
  };
}

/** It puts the error's body into its message, after parsing it. */
function understood(error: unknown): unknown {
  const [, status, body] = /^Failed request: \[(\d+)\] (.*)$/s.exec(String((error as Error).message)) ?? [];
  return status === undefined || body === undefined ? error : new Refused(Number(status), JSON.parse(body));
}

function missing(operationId: string): never {
  throw new Error(`The API description has no ${operationId}.`);
}
