import type { SentBody, WriteBody } from '../schema.ts';

/** Old clients send null or an empty text for a model that they do not choose (contract.md §14): as if it was not sent. */
export function withoutBlankModel<Body extends SentBody>(sent: Body): Omit<Body, 'model'> & WriteBody {
  const { model, ...rest } = sent;
  return (model ? sent : rest) as Omit<Body, 'model'> & WriteBody;
}
