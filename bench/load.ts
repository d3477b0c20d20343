import { Agent, request } from 'node:http';
import { quantile } from './measure.ts';

export interface Load {
  /** Milliseconds from the moment a request was due until its answer was read. */
  readonly latencies: readonly number[];
  readonly p99: number;
  readonly worst: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly perSecond: number;
}

/**
 * GETs the paths in turn at a fixed rate until `until` settles. Latency counts from when a request was due: one that
 * waits behind a stalled one is late, too. Throws when an answer is not 200, or when `until` fails.
 */
export async function loadUntil(options: LoadOptions, until: Promise<unknown>): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const latencies: number[] = [];
  const sent: Promise<void>[] = [];
  let over = false;
  const end = until.finally(() => {
    over = true;
  });
  end.catch(() => {});
  const start = performance.now();
  for (let n = 0; !over; n++) {
    const due = start + (n * 1000) / options.perSecond;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const path = options.paths[n % options.paths.length] ?? '/';
    const answered = get(new URL(path, options.url), options.headers, agent).then(() => {
      latencies.push(performance.now() - due);
    });
    answered.catch(() => {});
    sent.push(answered);
  }
  await Promise.all(sent);
  agent.destroy();
  await end;
  return { latencies, p99: quantile(latencies, 0.99), worst: Math.max(...latencies) };
}

function get(url: URL, headers: Readonly<Record<string, string>>, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, headers }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${url.pathname} answered ${answer.statusCode}`));
      answer.on('end', resolve).on('error', reject).resume();
    });
    call.on('error', reject).end();
  });
}
