import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** Clients that never become a request, or one without end: refused, while everybody else is served. */

let sluice: RunningSluice;
const open: Socket[] = [];

beforeAll(async () => {
  sluice = await startSluice();
});
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});
afterAll(async () => {
  expect(await sluice.stop()).toBe(0);
});

interface Line {
  readonly socket: Socket;
  /** All that came back until the server hung up. */
  readonly closed: Promise<string>;
  received(): string;
}

function line(): Line {
  const { hostname, port } = new URL(sluice.ready.url);
  const socket = connect(Number(port), hostname);
  open.push(socket);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  const closed = new Promise<string>((resolve) => {
    // A reset is one way of being hung up on.
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
  return { socket, closed, received: () => text };
}

/** Asks all the time while `busy` goes on whether the server lives; each time it has to answer. */
async function livesDuring(busy: Promise<unknown>): Promise<void> {
  let done = false;
  const end = busy.finally(() => {
    done = true;
  });
  do {
    // No more than a guard against a server that is held up for good: how fast it answers is `npm run bench`'s.
    const answer = await fetch(`${sluice.ready.url}/livez`, { signal: AbortSignal.timeout(HELD_UP_MS) });
    expect(answer.status).toBe(200);
    await after(50);
  } while (!done);
  await end;
}

const HELD_UP_MS = 15_000;
const head = (path: string, more: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${sluice.ready.personal_api_key}\r\n${more}\r\n\r\n`;
const statusOf = (text: string) => Number(text.slice(9, 12));
const bodyOf = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as unknown;

it('of 200 senders that dribble, those of headers are hung up on in time; others notice nothing', async () => {
  const lines = Array.from({ length: 200 }, (_, i) => {
    const one = line();
    one.socket.write(
      i % 2 ? 'GET /livez HTTP/1.1\r\nHost: a\r\n' : head('/api/personal_api_keys/', 'Content-Length: 1000'),
    );
    return one;
  });
  const dribble = setInterval(() => {
    for (const [i, { socket }] of lines.entries())
      if (socket.writable) socket.write(i % 2 ? 'X-A: b\r\n' : ' ');
  }, 500);
  try {
    const headersOnly = lines.filter((_, i) => i % 2);
    const answers = Promise.all(headersOnly.map(({ closed }) => closed));
    await livesDuring(answers);
    for (const text of await answers) {
      expect(statusOf(text)).toBe(408);
      expect(bodyOf(text)).toMatchObject({ code: 'request_timeout', attr: null });
    }
  } finally {
    clearInterval(dribble);
  }
});

it.each([
  ['announced', '/api/projects/@current/batch_exports/', (bytes: number) => `Content-Length: ${bytes}`],
  ['announced, to capture', '/batch/', (bytes: number) => `Content-Length: ${bytes}`],
  ['in chunks', '/api/projects/@current/batch_exports/', () => 'Transfer-Encoding: chunked'],
  ['in chunks, to capture', '/batch/', () => 'Transfer-Encoding: chunked'],
  ['announced, to a path that is not there', '/nowhere/', (bytes: number) => `Content-Length: ${bytes}`],
  ['in chunks, with a wrong method', '/livez', () => 'Transfer-Encoding: chunked'],
])('a body of 100 MB, %s, is refused', async (_, path, framing) => {
  const chunk = Buffer.alloc(1 << 20, 'x');
  const count = 100;
  const { socket, closed, received } = line();
  const chunked = framing(0).startsWith('Transfer');
  socket.write(head(path, `Content-Type: application/json\r\n${framing(count * chunk.length)}`));
  const sending = (async () => {
    for (let i = 0; i < count && socket.writable; i++) {
      if (chunked) socket.write(`${chunk.length.toString(16)}\r\n`);
      const full = !socket.write(chunk);
      if (chunked) socket.write('\r\n');
      if (full) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    }
    if (chunked && socket.writable) socket.write('0\r\n\r\n');
    await Promise.race([closed, expect.poll(received, { timeout: 20_000 }).toContain('\r\n\r\n')]);
  })();
  await livesDuring(sending);
  // Whoever goes on sending to a closed line may lose the answer: a reset is all there is then.
  if (received() !== '') expect([404, 405, 413]).toContain(statusOf(received()));
  else await closed;
});

it('a small body that unpacks to three times what is allowed is refused', async () => {
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  const answer = fetch(`${sluice.ready.url}/batch/`, {
    method: 'POST',
    headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    body: bomb,
  });
  await livesDuring(answer);
  expect((await answer).status).toBe(413);
});

it.each([
  ['one header of 100,000 bytes', `GET /livez HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`, 431],
  ['10,000 headers', `GET /livez HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(10_000)}\r\n`, 431],
  ['a URL of 100,000 bytes', `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
  [
    'a header of 10,000 bytes',
    `GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ${'a'.repeat(10_000)}\r\n\r\n`,
    200,
  ],
  ['no HTTP', `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'\0'.repeat(100)}`, 400],
  [
    'two lengths',
    'POST /batch HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde',
    400,
  ],
  [
    'a length and chunks, as smugglers send',
    'POST /batch HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n',
    400,
  ],
  [
    'a chunk without end',
    `POST /batch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n`,
    400,
  ],
])('%s is answered and the line cut', async (_, bytes, status) => {
  const { socket, closed } = line();
  socket.write(bytes, 'latin1');
  await livesDuring(closed);
  const text = await closed;
  expect(statusOf(text)).toBe(status);
  if (status >= 400)
    expect(Object.keys(bodyOf(text) as object).sort()).toEqual(['attr', 'code', 'detail', 'type']);
});

it('garbage behind good requests on one line: nothing is answered but those, and the line is cut', async () => {
  const { socket, closed } = line();
  const good = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n';
  socket.write(`${good.repeat(50)}GARBAGE \0\xff\r\n\r\n`, 'latin1');
  await livesDuring(closed);
  const answers = (await closed).split('HTTP/1.1 ').slice(1);
  expect(answers.at(-1)).toMatch(/^400 .*parse_error/s);
  for (const answer of answers.slice(0, -1)) expect(answer).toMatch(/^200 /);
});
