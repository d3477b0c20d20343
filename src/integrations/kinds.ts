import { awsS3 } from './aws-s3.ts';
import type { IntegrationKind } from './kind.ts';
import { s3Compatible } from './s3-compatible.ts';

const written: readonly IntegrationKind[] = [awsS3, s3Compatible];

/** By name. A new kind is a file and a line above. */
export const kinds: ReadonlyMap<string, IntegrationKind> = new Map(written.map((kind) => [kind.kind, kind]));

/** Every name the API knows (contract.md §3); those without a file are refused as not available yet. */
export const KIND_NAMES = [
  'aws-s3',
  's3-compatible',
  'postgresql',
  'snowflake',
  'databricks',
  'azure-blob',
  'google-cloud-service-account',
  'aws-redshift',
] as const;
