import { type Accepts, hostIsPublic, inOrder } from './write.ts';

/** What exports from before integrations carry in their config. */
const INLINE = ['user', 'password', 'host', 'port'];

/** A linked export takes credentials from its integration alone; an old one without a link keeps its own (contract.md §5). */
const linkedOnly: Accepts = async ({ sent, stored, integration }) => {
  // What is read can be written back.
  const changed = (name: string) => Object.hasOwn(sent, name) && sent[name] !== stored?.[name];
  const key = stored && integration ? INLINE.find(changed) : undefined;
  return key === undefined ? null : `'${key}' belongs to the integration; change it there.`;
};

export const postgresWrites: Accepts = inOrder(linkedOnly, hostIsPublic);
