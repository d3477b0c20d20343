import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { compileCache } from '../work/compile-cache.ts';
import type { DescribedEndpoint, Endpoint } from './endpoint.ts';

/** The OpenAPI 3.1 document as text, in both its forms. */
export interface Description {
  readonly json: string;
  readonly yaml: string;
}

/** What the thread is given. */
export interface ToDescribe {
  readonly endpoints: readonly DescribedEndpoint[];
  readonly version: string;
}

/**
 * Describes the endpoints in a thread of its own, which ends with its answer: loading the generator and describing
 * 150 operations takes 0.4 s and more, for which nobody else should wait. Rejects when the thread fails.
 */
export async function describeApart(endpoints: readonly Endpoint[], version: string): Promise<Description> {
  const workerData: ToDescribe = {
    endpoints: endpoints.filter(({ hidden }) => !hidden).map(asData),
    version,
  };
  const thread = new Worker(new URL('./openapi-thread.ts', import.meta.url), {
    env: { ...process.env, ...compileCache() },
    workerData,
  });
  thread.unref();
  const [description] = await once(thread, 'message');
  return description as Description;
}

/** Functions cannot be handed to a thread, and describe nothing. */
function asData(endpoint: Endpoint): DescribedEndpoint {
  const { handler: _, requireObject: __, ...data } = endpoint;
  return data;
}
