import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';

/** ClickHouse closes idle connections after 3 s or more, and a request on its way to a closed one is lost. */
const IDLE_MS = 2_500;

/**
 * At most `most` connections, kept for the next request and closed by Node when nobody has used them for a while, also before the
 * time that the server announces. Not by the client (`idle_socket_ttl` must be 0): 1.23.1 starts its timer anew whenever a
 * connection becomes free, but stops only the last one. A query that is aborted before it is sent frees its connection a
 * second time, and the forgotten timer would break off whatever uses the connection 2.5 s later.
 */
export function keptConnections(url: string, most: number): Agent {
  const options = { keepAlive: true, maxSockets: most, timeout: IDLE_MS };
  return url.startsWith('https:') ? new TlsAgent(options) : new Agent(options);
}
