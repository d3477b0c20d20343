import { Type } from 'typebox';
import { checkFileOptions, cloudFileOptionKeys } from '../file-options.ts';

type Config = Readonly<Record<string, unknown>>;

/** The keys both S3 types have, contract.md §5. */
export const s3Keys = {
  bucket_name: Type.String(),
  region: Type.String(),
  prefix: Type.String({ description: 'Key prefix; may hold {year}, {month}, {day}, {hour}, {table}, …' }),
  ...cloudFileOptionKeys,
};

/** Credentials live on the integration; older exports may still hold them, sealed. */
export const s3SecretKeys = ['aws_access_key_id', 'aws_secret_access_key'];

/** The rules of the S3 family on a complete config (contract.md §5, per-destination checks). */
export function checkS3(config: Config): string | null {
  const blank = ['bucket_name', 'region', 'prefix'].filter((key) => String(config[key] ?? '').trim() === '');
  if (blank.length > 0) return `These may not be blank: ${blank.join(', ')}.`;
  return checkFileOptions(config);
}

/** AWS only: server-side encryption. */
export function checkEncryption(config: Config): string | null {
  const encryption = config.encryption || null;
  const key = config.kms_key_id ?? null;
  if (encryption !== null && encryption !== 'AES256' && encryption !== 'aws:kms') {
    return `encryption must be AES256, aws:kms or null, not ${JSON.stringify(encryption)}.`;
  }
  if (key !== null && typeof key !== 'string') return 'kms_key_id must be a text or null.';
  return null;
}
