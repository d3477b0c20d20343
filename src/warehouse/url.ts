import { SluiceError } from '../errors/error.ts';

/** `CLICKHOUSE_URL` in the client's parts. Throws `bad_configuration`, without the URL: it may hold a password. */
export function parseUrl(text: string): {
  url: string;
  username: string;
  password: string;
  database: string;
} {
  if (!URL.canParse(text)) {
    throw new SluiceError('bad_configuration', { detail: 'CLICKHOUSE_URL is not a URL.' });
  }
  const url = new URL(text);
  return {
    url: url.origin,
    username: decodeURIComponent(url.username) || 'default',
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || 'default',
  };
}
