import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { checkListening, listeningProblem } from './listening.ts';

it('a port that is taken is refused with what to do; a free one stays free', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  await expect(checkListening('127.0.0.1', port)).rejects.toMatchObject({
    code: 'bad_configuration',
    message: `Port ${port} is in use; choose another with --port (EADDRINUSE).`,
  });
  taken.close();
  await once(taken, 'close');
  await checkListening('127.0.0.1', port);
  await checkListening('127.0.0.1', port);
});

it('an address of another machine is refused', async () => {
  await expect(checkListening('192.0.2.1', 0)).rejects.toMatchObject({
    code: 'bad_configuration',
    message: expect.stringMatching(/^192\.0\.2\.1 is no address of this machine; .*--host/),
  });
});

it.each([
  ['EACCES', 'This user may not listen on port 80; choose one from 1024 on with --port (EACCES).'],
  ['ENOTFOUND', 'x.invalid is no address of this machine; choose another with --host (ENOTFOUND).'],
])('%s in words', (code, message) => {
  const problem = listeningProblem(Object.assign(new Error('listen'), { code }), 'x.invalid', 80);
  expect(problem).toMatchObject({ code: 'bad_configuration', message });
});

it('an error of another kind stays what it is', () => {
  const error = new Error('no');
  expect(listeningProblem(error, 'h', 1)).toBe(error);
});
