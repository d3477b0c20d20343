import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Line } from './line.ts';
import type { Strike, Toxic } from './toxics.ts';

export interface Struck {
  /** Chunks, connections or replies that the toxic has spoilt so far. */
  count(): number;
}

export interface StrikeOptions {
  /** Begins when a client says this; at once without. */
  readonly when?: RegExp;
  /** Matches to let pass first. */
  readonly skip?: number;
  /** How many replies `loseReply` loses; default 1. */
  readonly times?: number;
}

/** A TCP proxy on a loopback port that can be told what goes wrong. */
export interface TcpProxy {
  readonly port: number;
  /** The URL with this proxy in the place of its host. */
  through(url: string): string;
  strike(toxic: Toxic, options?: StrikeOptions): Struck;
  /** All is well again, for new connections and for those that can still be saved. */
  clear(): void;
  /** Connections open now. */
  open(): number;
  stop(): Promise<void>;
}

/** @param random 0 ≤ x < 1, for jitter. */
export async function startProxy(
  target: { readonly host: string; readonly port: number },
  random: () => number,
): Promise<TcpProxy> {
  const lines = new Set<Line>();
  let strikes: Strike[] = [];

  /** A connection that is broken before it says anything. */
  const refuses = (): boolean => {
    const strike = strikes.find(({ active, toxic }) => active && toxic.kind === 'down');
    if (strike) strike.struck += 1;
    return strike !== undefined;
  };

  const server = createServer({ allowHalfOpen: true }, (client: Socket) => {
    client.on('error', () => {});
    if (refuses()) return void client.resetAndDestroy();
    const upstream = connect({ ...target, allowHalfOpen: true });
    const line = new Line(client, upstream, () => strikes);
    lines.add(line);
    void line.run().finally(() => lines.delete(line));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    port,
    through: (url) => {
      const changed = new URL(url);
      changed.hostname = '127.0.0.1';
      changed.port = String(port);
      return changed.href;
    },
    strike: (toxic, { when, skip = 0, times = 1 } = {}) => {
      const active = when === undefined;
      const strike: Strike = { toxic, when, skip, times, random, active, seen: 0, struck: 0, chunks: 0 };
      strikes.push(strike);
      if (active && toxic.kind === 'down') for (const line of lines) line.reset();
      return { count: () => strike.struck };
    },
    clear: () => {
      strikes = [];
    },
    open: () => lines.size,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const line of lines) line.reset();
      await closed;
    },
  };
}
