import { awsS3 } from './aws-s3.ts';
import { azureBlob } from './azure-blob.ts';
import { bigquery } from './bigquery.ts';
import { databricks } from './databricks.ts';
import type { Destination } from './destination.ts';
import { filesystem } from './filesystem.ts';
import { http } from './http.ts';
import { noOp } from './no-op.ts';
import { postgres } from './postgres.ts';
import { redshift } from './redshift.ts';
import { s3Compatible } from './s3-compatible.ts';
import { snowflake } from './snowflake.ts';
import { workflows } from './workflows.ts';

/** Every destination there is, by type (contract.md §3); a new one is a file beside this one and a line here. */
export const destinations: ReadonlyMap<string, Destination> = new Map(
  [
    awsS3,
    s3Compatible,
    snowflake,
    postgres,
    redshift,
    bigquery,
    databricks,
    azureBlob,
    workflows,
    http,
    noOp,
    filesystem,
  ].map((destination) => [destination.type, destination]),
);
