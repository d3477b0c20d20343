import { describe, expect, it } from 'vitest';
import { createLinkSigner } from './links.ts';

const OLD = 'a secret that was in use until last week';
const NEW = 'the secret that is in use since last week';
const PATH = '/file_downloads/run/file/events.parquet';
const NOW = Date.parse('2026-03-01T10:00:00Z');

const signer = createLinkSigner([NEW]);
const sent = (path = PATH, expiresAt = NOW + 60_000) => Object.fromEntries(signer.sign(path, expiresAt));

describe('signed links', () => {
  it('are valid until the second they expire', () => {
    expect(signer.check(PATH, sent(), NOW + 59_999)).toBe('valid');
    expect(signer.check(PATH, sent(), NOW + 60_000)).toBe('expired');
  });

  it.each([
    ['another path', `${PATH}x`, {}],
    ['a later expiry', PATH, { expires: String(NOW / 1000 + 61) }],
    ['an expiry in other digits', PATH, { expires: `0${NOW / 1000 + 60}` }],
    ['no expiry', PATH, { expires: undefined }],
    ['no signature', PATH, { signature: undefined }],
    ['an empty signature', PATH, { signature: '' }],
    ['a signature cut short', PATH, { signature: sent().signature?.slice(0, -4) }],
    ['another signature', PATH, { signature: sent(`${PATH}x`).signature }],
  ])('are forged with %s', (_, path, changes) => {
    expect(signer.check(path, { ...sent(), ...changes }, NOW)).toBe('forged');
  });

  it('outlive a rotation of the secret, and not its removal', () => {
    const old = Object.fromEntries(createLinkSigner([OLD]).sign(PATH, NOW + 60_000));
    expect(createLinkSigner([NEW, OLD]).check(PATH, old, NOW)).toBe('valid');
    expect(signer.check(PATH, old, NOW)).toBe('forged');
  });
});
