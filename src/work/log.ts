import pino, { type Logger } from 'pino';

export type Log = Logger;

/** Paths whose values never reach a log line, at any depth pino can address. */
const SECRET_PATHS = [
  'authorization',
  'password',
  'current_password',
  'password_hash',
  'cookie',
  'token',
  'secret',
  'api_key',
  'personal_api_key',
  'aws_secret_access_key',
  'connection_string',
  'private_key',
].flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** JSON lines on stderr: stdout belongs to what the user asked for. */
export function createLogger(level: string): Log {
  return pino(
    { level, redact: { paths: [...SECRET_PATHS, 'req.headers'], censor: '[secret]' }, base: null },
    pino.destination({ fd: 2, sync: true }),
  );
}
