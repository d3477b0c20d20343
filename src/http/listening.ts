import { once } from 'node:events';
import { createServer } from 'node:net';
import { SluiceError } from '../errors/error.ts';

/**
 * Whether a server could listen there at this moment, before anything is made that only a server which listens can show. Port 0
 * is always free. Throws `bad_configuration`.
 */
export async function checkListening(host: string, port: number): Promise<void> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, 'listening');
  } catch (error) {
    throw listeningProblem(error, host, port);
  }
  probe.close();
  await once(probe, 'close');
}

/** What the system refuses a port or an address with, as a sentence that says what to do; any other error as it is. */
export function listeningProblem(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words = WORDS[code];
  if (words === undefined) return error;
  return new SluiceError('bad_configuration', { detail: `${words(host, port)} (${code}).`, cause: error });
}

const otherHost = (host: string): string =>
  `${host} is no address of this machine; choose another with --host`;

const WORDS: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (_, port) => `Port ${port} is in use; choose another with --port`,
  EACCES: (_, port) => `This user may not listen on port ${port}; choose one from 1024 on with --port`,
  EADDRNOTAVAIL: otherHost,
  EINVAL: otherHost,
  ENOTFOUND: otherHost,
  EAI_AGAIN: otherHost,
};
