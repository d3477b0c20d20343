import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer, type Journal, type World } from './answer.ts';
import { Faults } from './faults.ts';
import type { Manners } from './manners.ts';
import type { Credentials } from './signature.ts';
import { Store } from './store.ts';

export interface S3Options {
  /** 0 (default) = any free one. */
  readonly port?: number;
  readonly region?: string;
  readonly credentials?: Credentials;
  /** Made at the start. */
  readonly buckets?: readonly string[];
  /** Hosts below which a label is a bucket (virtual-style). */
  readonly hosts?: readonly string[];
  /** Default: Amazon's. */
  readonly manners?: Manners;
}

/** A running server, and a look inside it. */
export interface S3Server {
  readonly url: string;
  readonly port: number;
  readonly region: string;
  readonly credentials: Credentials;
  readonly faults: Faults;
  /** Every request so far, oldest first. */
  readonly journal: Journal[];
  /** Keys of the finished objects, sorted. */
  objects(bucket: string): string[];
  /** Open multipart uploads, oldest first. */
  uploads(bucket: string): { key: string; id: string; parts: number[] }[];
  /** The whole object, or null. */
  content(bucket: string, key: string): Promise<Buffer | null>;
  stop(): Promise<void>;
}

/**
 * Starts a strict S3 on 127.0.0.1: signatures, checksums, conditional writes and the rules of multipart
 * uploads are those of Amazon's documentation. Buckets live as long as the server.
 */
export async function startS3(options: S3Options = {}): Promise<S3Server> {
  const store = await Store.open();
  const faults = new Faults();
  const journal: Journal[] = [];
  const world: World = {
    store,
    faults,
    journal,
    manners: options.manners ?? {},
    region: options.region ?? 'us-east-1',
    credentials: options.credentials ?? { accessKeyId: 'AKIATEST', secretAccessKey: 'a secret of the tests' },
    hosts: options.hosts ?? ['localhost', 's3.test'],
  };
  for (const name of options.buckets ?? []) {
    store.buckets.set(name, { name, created: Date.now(), objects: new Map(), uploads: new Map() });
  }
  // Idle connections stay: closed after Node's 5 s, one would now and then be reset just as a retry uses it.
  const server = createServer(
    { noDelay: true, keepAliveTimeout: 0 },
    (request: IncomingMessage, response: ServerResponse) => {
      void answer(world, request, response);
    },
  );
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    region: world.region,
    credentials: world.credentials,
    faults,
    journal,
    objects: (bucket) => [...store.bucket(bucket).objects.keys()].sort(),
    uploads: (bucket) =>
      [...store.bucket(bucket).uploads.values()].map(({ key, id, parts }) => ({
        key,
        id,
        parts: [...parts.keys()],
      })),
    content: async (bucket, key) => {
      const object = store.bucket(bucket).objects.get(key);
      return object ? Buffer.concat(await store.read(object, 0, object.size).toArray()) : null;
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await store.close();
    },
  };
}
