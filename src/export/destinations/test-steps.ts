import { randomUUID } from 'node:crypto';
import { SluiceError } from '../../errors/error.ts';
import { keyBelow } from '../file-names.ts';
import type { Destination, TestResult, TestStep } from './destination.ts';

export const PASSED: TestResult = { status: 'Passed', message: null };
export const skipped = (message: string): TestResult => ({ status: 'Skipped', message });

/** Does what an export does, with a file of its own: writes it, looks at it, removes it. */
export function writingStep(
  texts: Pick<TestStep, 'name' | 'description'>,
  open: NonNullable<Destination['open']>,
): TestStep {
  return {
    ...texts,
    run: async (setup, ports) => {
      const target = await open(setup, ports);
      try {
        const prefix = typeof setup.config.prefix === 'string' ? setup.config.prefix : '';
        const key = keyBelow(prefix, `sluice-connection-test-${randomUUID()}.txt`);
        const body = Buffer.from('Sluice tests whether it can write here. This file may be removed.\n');
        await target.put(key, body, 'text/plain');
        try {
          const { bytes } = await target.open({ key, bytes: body.length, tag: null });
          if (bytes !== body.length) {
            throw new SluiceError('verification_failed', {
              detail: `A file of ${body.length} bytes was written, and ${bytes} are there.`,
            });
          }
        } finally {
          await target.remove(key);
        }
        return PASSED;
      } finally {
        await target.close();
      }
    },
  };
}

/** Steps of a type whose loader is not written yet: they say so. */
export function stepsToCome(title: string, steps: readonly (readonly [name: string, description: string])[]) {
  return steps.map(
    ([name, description]): TestStep => ({
      name,
      description,
      run: async () => ({
        status: 'Failed',
        message: `Testing connections to ${title} is not available in this version.`,
      }),
    }),
  );
}
