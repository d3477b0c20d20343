import { awsRedshift } from './aws-redshift.ts';
import { awsS3 } from './aws-s3.ts';
import { azureBlob } from './azure-blob.ts';
import { databricks } from './databricks.ts';
import { googleCloudServiceAccount } from './google-cloud-service-account.ts';
import type { IntegrationKind } from './kind.ts';
import { postgresql } from './postgresql.ts';
import { s3Compatible } from './s3-compatible.ts';
import { snowflake } from './snowflake.ts';

const all: readonly IntegrationKind[] = [
  awsS3,
  s3Compatible,
  postgresql,
  snowflake,
  databricks,
  azureBlob,
  googleCloudServiceAccount,
  awsRedshift,
];

/** By name (contract.md §3). A new kind is a file and a line above. */
export const kinds: ReadonlyMap<string, IntegrationKind> = new Map(all.map((kind) => [kind.kind, kind]));
