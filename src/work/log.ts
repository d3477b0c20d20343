import pino, { type Logger } from 'pino';
import { lineWriter } from './log-lines.ts';

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

/**
 * JSON lines on `fd`, by default stderr: stdout belongs to what the user asked for. Lines that cannot be written are
 * dropped.
 */
export function createLogger(level: string, fd = 2): Log {
  const lines = lineWriter(fd, (lost) => log.warn({ lines: lost }, 'lines of this log could not be written'));
  const redact = { paths: [...SECRET_PATHS, 'req.headers'], censor: '[secret]' };
  const log = pino({ level, redact, base: null }, lines);
  return log;
}
