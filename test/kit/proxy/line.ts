import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { matches, type Strike, type Way } from './toxics.ts';

/** Text that may be cut between two chunks is found all the same. */
const TAIL = 256;

/** One connection through the proxy: two sockets and what is wrong between them. */
export class Line {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #strikes: () => readonly Strike[];
  readonly #bytes: Record<Way, number> = { up: 0, down: 0 };
  readonly #stalled = new Set<Strike>();
  readonly #over = new AbortController();
  #tail = '';
  #dead = false;
  /** Its end was told already. */
  #cut = false;
  #losing: Strike | undefined;

  constructor(client: Socket, server: Socket, strikes: () => readonly Strike[]) {
    this.#client = client;
    this.#server = server;
    this.#strikes = strikes;
  }

  /** Resolves when both sockets are closed. */
  async run(): Promise<void> {
    for (const socket of [this.#client, this.#server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.reset());
    }
    await Promise.all([
      this.#pump(this.#client, this.#server, 'up'),
      this.#pump(this.#server, this.#client, 'down'),
    ]);
    this.#client.destroy();
    this.#server.destroy();
  }

  /** Both ends see the connection break. */
  reset(): void {
    this.#over.abort();
    if (!this.#client.destroyed) this.#client.resetAndDestroy();
    this.#server.destroy();
  }

  async #pump(from: Socket, to: Socket, way: Way): Promise<void> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false }))
        await this.#pass(chunk as Buffer, to, way);
      if (this.#dead) return;
      for (const { toxic, struck } of this.#active()) {
        if (toxic.kind === 'slowClose' && struck > 0) await this.#wait(toxic.ms);
      }
      to.end();
    } catch {
      if (!this.#cut) this.reset();
    }
  }

  async #pass(chunk: Buffer, to: Socket, way: Way): Promise<void> {
    if (way === 'up') this.#listen(chunk);
    else if (this.#losing) {
      this.#losing.struck += 1;
      return this.reset();
    }
    this.#bytes[way] += chunk.length;
    let rest: Buffer = chunk;
    for (const strike of this.#active()) {
      const left = await this.#suffer(strike, rest, to, way);
      if (left === null) return;
      rest = left;
    }
    if (!this.#dead) await this.#write(rest, to);
  }

  /** What becomes of a chunk; null = it is done with. */
  async #suffer(strike: Strike, chunk: Buffer, to: Socket, way: Way): Promise<Buffer | null> {
    const { toxic } = strike;
    strike.struck += 1;
    if (way === 'up') strike.chunks += 1;
    switch (toxic.kind) {
      case 'latency':
        await this.#wait(toxic.ms + strike.random() * (toxic.jitterMs ?? 0));
        return chunk;
      case 'stall':
        if (!this.#stalled.has(strike)) {
          this.#stalled.add(strike);
          await this.#wait(toxic.ms);
        }
        return chunk;
      case 'bandwidth':
        await this.#wait((chunk.length / toxic.bytesPerSecond) * 1000);
        return chunk;
      case 'slicer':
        for (let at = 0; at < chunk.length; at += toxic.bytes) {
          await this.#write(chunk.subarray(at, at + toxic.bytes), to);
          await this.#wait(toxic.gapMs);
        }
        return null;
      case 'reset':
        if (way === 'up' && this.#bytes.up > toxic.afterBytes) this.reset();
        return chunk;
      case 'flapping':
        if (way === 'up' && strike.chunks % toxic.every === 0) this.reset();
        return chunk;
      case 'limitData': {
        const over = this.#bytes.down - toxic.bytes;
        if (way === 'up' || over <= 0) return chunk;
        await this.#write(chunk.subarray(0, Math.max(0, chunk.length - over)), to);
        this.#cut = true;
        to.end();
        this.#server.destroy();
        return null;
      }
      case 'halfOpen':
        this.#dead = true;
        return null;
      case 'down':
        this.reset();
        return null;
      default:
        return chunk;
    }
  }

  /** Toxics that wait for something the client says. */
  #listen(chunk: Buffer): void {
    const from = this.#tail.length;
    const text = this.#tail + chunk.toString('latin1');
    this.#tail = text.slice(-TAIL);
    for (const strike of this.#strikes()) {
      if (strike.toxic.kind === 'loseReply') {
        if (strike.seen - strike.skip >= strike.times || !matches(strike, text, from)) continue;
        this.#losing = strike;
      } else if (!strike.active && matches(strike, text, from)) strike.active = true;
    }
  }

  #active(): readonly Strike[] {
    return this.#strikes().filter(({ active, toxic }) => active && toxic.kind !== 'loseReply');
  }

  #wait(ms: number): Promise<void> {
    return pause(ms, undefined, { signal: this.#over.signal });
  }

  async #write(chunk: Buffer, to: Socket): Promise<void> {
    if (chunk.length === 0 || to.destroyed || to.write(chunk)) return;
    await new Promise<void>((resolve) => {
      to.once('drain', resolve);
      to.once('close', resolve);
    });
  }
}
