import { expect, it } from 'vitest';
import { withoutSecrets } from './request-log.ts';

it.each([
  ['/api/x/', '/api/x/'],
  ['/api/x/?limit=5', '/api/x/?limit=5'],
  ['/x?personal_api_key=phx_abc&limit=5', '/x?personal_api_key=[secret]&limit=5'],
  ['/x?Personal%5FAPI%5Fkey=whatever', '/x?Personal_API_key=[secret]'],
  ['/x?token=abc', '/x?token=[secret]'],
  ['/x?note=phx_abc-DEF_1', '/x?note=[secret]'],
  ['/e/?data=eyJ0b2tlbiI6InBoY18x&compression=base64', '/e/?data=[secret]&compression=base64'],
  ['/x/phx_abc/y', '/x/[secret]/y'],
])('%s is logged as %s', (url, logged) => {
  expect(withoutSecrets(url)).toBe(logged);
});
