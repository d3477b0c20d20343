import { expect, it } from 'vitest';
import { unknownSettings } from './unknown-settings.ts';

it('names what nothing reads, with the nearest that is', () => {
  const env = {
    PATH: '/bin',
    SLUICE_PORT: '1',
    SLUICE_SECRETKEY: 'x',
    SLUICE_READBACK: '1',
    SLUICE_TEST: '1',
  };
  expect(unknownSettings(env)).toEqual([
    'SLUICE_SECRETKEY is no setting and is ignored; the nearest is SLUICE_SECRET_KEY',
    'SLUICE_READBACK is no setting and is ignored; the nearest is SLUICE_READ_BACK',
  ]);
});
