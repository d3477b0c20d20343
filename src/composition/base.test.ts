import { expect, it } from 'vitest';
import { createHostGuard } from '../work/hosts.ts';
import { hostChecker } from './base.ts';

const code = async (allowed: string[], answer: string | string[]) =>
  await hostChecker(
    createHostGuard(allowed, async () => {
      if (typeof answer === 'string') throw Object.assign(new Error(answer), { code: answer });
      return answer.map((address) => ({ address, family: 4 }));
    }),
  )('store.example').then(
    () => 'reachable',
    (error) => error.code,
  );

it.each([
  ['EAI_AGAIN', 'destination_unavailable'],
  ['ENOTFOUND', 'destination_unavailable'],
  [['93.184.216.34'], 'reachable'],
  [['10.1.2.3'], 'destination_config'],
])('a name that is looked up with %j: %s', async (answer, expected) => {
  expect(await code([], answer)).toBe(expected);
});
