import { SluiceError } from '../errors/error.ts';

/** Whatever the size: a deeply nested value, a thousand events of a hundred objects each. Reading so many takes some 30 ms. */
const ALWAYS = 100_000;
/** Denser than short coordinates and points, `[52.52,13.40],`. 20 MB of `{},` are 7 million and kept a thread for 20 s. */
const CHARACTERS_EACH = 12;

/** Objects and lists that an honest request of this text may hold. */
export const mostStructures = (text: string): number => Math.max(ALWAYS, text.length / CHARACTERS_EACH);

/**
 * Throws `request_too_large` when a JSON text begins more than `most` objects and lists, before a parser makes them: in
 * memory the shortest take twenty times their text. Brackets inside strings count as well. Stops at the first too many;
 * a text of 20 MB with few takes 2 ms.
 */
export function refuseMoreStructures(text: string, most: number): void {
  let found = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++found <= most) continue;
      const detail = `The body holds more than ${Math.floor(most)} objects and lists.`;
      throw new SluiceError('request_too_large', { detail });
    }
  }
}
