/**
 * Whether a text holds white space or characters that nobody sees. `new URL` drops or rewrites them ("ht\ttps://…" is an
 * https URL), so that who compares such a text sees another address than the one that requests go to.
 */
export const hasHiddenCharacters = (text: string): boolean => /[\s\p{Cc}\p{Cf}]/u.test(text);
