import { describe, expect, it } from 'vitest';
import { destinations } from './index.ts';

/** contract.md §5, as a table: required and optional keys of every type. */
const table: Record<string, readonly [required: string, optional: string, integration: string | null]> = {
  AwsS3: [
    'bucket_name prefix region',
    'compression encryption file_format kms_key_id legacy_parquet_extension max_file_size_mb',
    'aws-s3',
  ],
  S3Compatible: [
    'bucket_name prefix region',
    'compression file_format legacy_parquet_extension max_file_size_mb use_virtual_style_addressing',
    's3-compatible',
  ],
  Snowflake: ['database schema warehouse', 'role table_name', 'snowflake'],
  Postgres: ['database', 'has_self_signed_cert host password port schema table_name user', 'postgresql'],
  Redshift: [
    'database',
    'copy_inputs host mode password port properties_data_type schema table_name user',
    'aws-redshift',
  ],
  BigQuery: [
    'dataset_id',
    'client_email private_key private_key_id project_id table_id token_uri use_json_type',
    'google-cloud-service-account',
  ],
  Databricks: [
    'catalog http_path schema table_name',
    'use_automatic_schema_evolution use_variant_type',
    'databricks',
  ],
  AzureBlob: [
    'container_name',
    'compression file_format legacy_parquet_extension max_file_size_mb prefix',
    'azure-blob',
  ],
  HTTP: ['token url', '', null],
  Workflows: ['hog_function_id', '', null],
  NoOp: ['', 'arg', null],
  Filesystem: ['', 'compression file_format max_file_size_mb prefix', null],
};

describe('the destinations', () => {
  it('are those of the contract', () => {
    expect([...destinations.keys()].sort()).toEqual(Object.keys(table).sort());
  });

  it.each(Object.entries(table))('%s takes the keys of the contract', (type, [required, optional, kind]) => {
    const destination = destinations.get(type);
    const needed = [...(destination?.config.required ?? [])].sort();
    const known = Object.keys(destination?.config.properties ?? {}).sort();
    expect(needed.join(' ')).toBe(required);
    expect(known.filter((key) => !needed.includes(key)).join(' ')).toBe(optional);
    expect(destination?.integration?.kind ?? null).toBe(kind);
  });
});

describe('S3 family', () => {
  const config = { bucket_name: 'b', region: 'eu-central-1', prefix: 'p/' };
  const check = (type: string, change: object) => destinations.get(type)?.check({ ...config, ...change });

  it('accepts a plain config and names what is blank', () => {
    expect(check('AwsS3', {})).toBeNull();
    expect(check('S3Compatible', { bucket_name: ' ', prefix: '' })).toBe(
      'These may not be blank: bucket_name, prefix.',
    );
  });

  it('checks format, compression and encryption', () => {
    expect(check('AwsS3', { file_format: 'Parquet', compression: 'lz4', encryption: 'aws:kms' })).toBeNull();
    expect(check('AwsS3', { compression: 'lz4' })).toContain('Compression "lz4"');
    expect(check('AwsS3', { encryption: 'rot13' })).toContain('encryption must be');
    expect(check('AzureBlob', { file_format: 'CSV' })).toContain('File format "CSV"');
  });

  it('keeps codec-bearing Parquet names only where they were', () => {
    const legacy = (change: object) =>
      destinations.get('AwsS3')?.files({ ...config, ...change })?.legacyParquetExtension;
    expect(legacy({ file_format: 'Parquet', compression: 'zstd' })).toBe(true);
    expect(legacy({ file_format: 'Parquet', compression: 'zstd', legacy_parquet_extension: false })).toBe(
      false,
    );
    expect(legacy({ file_format: 'Parquet' })).toBe(false);
  });
});

describe('Redshift and HTTP', () => {
  it('know modes and types', () => {
    const check = (config: object) => destinations.get('Redshift')?.check({ database: 'd', ...config });
    expect(check({})).toBeNull();
    expect(check({ mode: 'UNLOAD' })).toContain('mode');
    expect(check({ properties_data_type: 'json' })).toContain('properties_data_type');
  });

  it('want a capture URL', () => {
    const check = (url: unknown) => destinations.get('HTTP')?.check({ url, token: 't' });
    expect(check('https://us.i.posthog.com/batch/')).toBeNull();
    for (const url of ['https://x/', 'ftp://x/batch/', 'x', 3]) expect(check(url)).toContain('/batch/');
  });
});
