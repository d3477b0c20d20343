import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSealer } from './sealing.ts';

const OLD = 'an old secret of more than thirty-two bytes';
const NEW = 'a new secret of more than thirty-two bytes!';

function counting(): (count: number) => Buffer {
  let n = 0;
  return (count) => {
    n += 1;
    return createHash('sha512').update(String(n)).digest().subarray(0, count);
  };
}

describe('sealed secrets', () => {
  it('every text opens again where it was sealed, and nowhere else', () => {
    const sealer = createSealer([NEW], counting());
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.string(), (text, here, there) => {
        const sealed = sealer.seal(text, here);
        expect(sealer.unseal(sealed, here)).toBe(text);
        if (here !== there) expect(() => sealer.unseal(sealed, there)).toThrow();
      }),
      { seed: 7 },
    );
  });

  it('shows nothing of the text and is never the same twice', () => {
    const sealer = createSealer([NEW], counting());
    const [a, b] = [sealer.seal('hunter2hunter2'), sealer.seal('hunter2hunter2')];
    expect(a).not.toBe(b);
    expect(Buffer.from(a.split('.')[3] ?? '', 'base64url').toString('latin1')).not.toContain('hunter2');
  });

  it('every changed character is noticed', () => {
    const sealer = createSealer([NEW], counting());
    const sealed = sealer.seal('secret');
    for (let i = 0; i < sealed.length - 1; i++) {
      const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
      expect(() => sealer.unseal(changed), `at ${i}`).toThrow(
        expect.objectContaining({ code: 'secret_unreadable' }),
      );
    }
  });

  it('rotates: the old key still opens, the new one seals', () => {
    const before = createSealer([OLD], counting()).seal('secret');
    const rotated = createSealer([NEW, OLD], counting());
    expect(rotated.unseal(before)).toBe('secret');
    expect([before, rotated.seal('secret')].map(rotated.isCurrent)).toEqual([false, true]);
    expect(createSealer([NEW], counting()).unseal(rotated.seal('secret'))).toBe('secret');
    expect(() => createSealer([NEW], counting()).unseal(before)).toThrow(
      expect.objectContaining({ code: 'secret_unreadable' }),
    );
  });

  it.each(['', 'v1', 'v1.x.y.z', 'plain text', 'v2.a.b.c'])('%j is not a sealed secret', (text) => {
    expect(() => createSealer([NEW], counting()).unseal(text)).toThrow(
      expect.objectContaining({ code: 'secret_unreadable' }),
    );
  });
});
