import { Type } from 'typebox';
import type { Destination } from './destination.ts';
import { checkFileOptions, cloudFileOptionKeys, cloudFileOptionsOf } from './file-options.ts';
import { stepsToCome } from './test-steps.ts';
import { complete } from './writes/write.ts';

/** Blobs in an Azure container; contract.md §5. The loader is not written yet. */
export const azureBlob: Destination = {
  type: 'AzureBlob',
  title: 'Azure Blob Storage',
  config: Type.Object({
    container_name: Type.String(),
    prefix: Type.Optional(Type.String({ description: 'Default: none.' })),
    ...cloudFileOptionKeys,
  }),
  secretKeys: [],
  integration: { kind: 'azure-blob', resent: true },
  check: checkFileOptions,
  accepts: complete({ secrets: ['connection_string'] }),
  files: cloudFileOptionsOf,
  testSteps: stepsToCome('Azure Blob Storage', [
    ['Reach the container', 'The container exists and accepts the credentials.'],
  ]),
  open: null,
};
