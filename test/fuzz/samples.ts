/** Everything secret that the fuzz puts in holds this: it may come out nowhere. */
export const SECRET = 'sssecret-7f3a9c';

/** Credentials as one sends them. Nothing listens at the endpoint: runs meet a refused connection. */
export const INTEGRATIONS = {
  compatible: {
    kind: 's3-compatible',
    config: {
      name: 'x',
      aws_access_key_id: `${SECRET}-id`,
      aws_secret_access_key: `${SECRET}-key`,
      endpoint_url: 'http://127.0.0.1:9',
    },
  },
  aws: {
    kind: 'aws-s3',
    config: { name: 'x', aws_access_key_id: `${SECRET}-id`, aws_secret_access_key: `${SECRET}-key` },
  },
} as const;

const place = { bucket_name: 'b', region: 'us-east-1', prefix: 'p/{year}' };

/** Complete destinations; an export of each is made beforehand, with runs. */
export const DESTINATIONS = [
  { type: 'Filesystem', config: { prefix: 'a/{table}', file_format: 'Parquet', compression: 'zstd' } },
  { type: 'Filesystem', config: { prefix: 'b', file_format: 'JSONLines', max_file_size_mb: 1 } },
  { type: 'S3Compatible', integration: '<<compatible:0>>', config: { ...place, file_format: 'Parquet' } },
  { type: 'NoOp', config: { arg: 'x' } },
  { type: 'HTTP', config: { url: 'http://127.0.0.1:9/batch/', token: `${SECRET}-token` } },
  { type: 'Workflows', config: { hog_function_id: 'x' } },
] as const;

/** Further ones that requests try. Most are refused, each in its own way. */
export const OTHERS = [
  { type: 'AwsS3', integration: '<<aws:0>>', config: { ...place, encryption: 'AES256' } },
  {
    type: 'Postgres',
    config: { database: 'd', user: 'u', password: `${SECRET}-pw`, host: 'localhost', port: 1 },
  },
  { type: 'Redshift', config: { database: 'd', mode: 'COPY', copy_inputs: { s3_bucket: 'b' } } },
  { type: 'Snowflake', config: { database: 'd', warehouse: 'w', schema: 's' } },
  { type: 'BigQuery', config: { dataset_id: 'd', private_key: `${SECRET}-pem` } },
  { type: 'Databricks', config: { http_path: 'h', catalog: 'c', schema: 's', table_name: 't' } },
  { type: 'AzureBlob', config: { container_name: 'c', file_format: 'Parquet', compression: 'brotli' } },
  { type: 'S3', config: { ...place, aws_secret_access_key: `${SECRET}-old` } },
  { type: 'FileDownload', config: {} },
] as const;

/** Apps as one sets them up. Nothing listens: deliveries meet a refused connection. */
export const PLUGIN_CONFIGS = [
  { plugin: 1, enabled: true, config: { url: 'http://127.0.0.1:9/hook', secret: `${SECRET}-signs` } },
  { plugin: 2, config: { host: 'http://127.0.0.1:9', project_api_key: `${SECRET}-project` } },
] as const;

export const JOBS = [
  {
    type: 'Export historical events V2',
    payload: { dateRange: ['2021-06-10', '2022-06-12'], parallelism: 2 },
  },
  { type: 'Export historical events V2', payload: { dateRange: ['2021-06-10'] } },
  {
    type: 'Export historical events V2',
    payload: { dateRange: ['x', null], parallelism: -1 },
    operation: 'start',
  },
  { type: 'another' },
] as const;
