import type { TestStep } from '../destination.ts';

/** The same for every store that speaks S3's protocol. */
export const BUCKET_STEP: Pick<TestStep, 'name' | 'description'> = {
  name: 'Write to the bucket',
  description: 'Writes a small object below the prefix, asks for it, and removes it.',
};
