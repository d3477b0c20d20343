import type { FastifyServerOptions } from 'fastify';

type Controller = NonNullable<FastifyServerOptions['schemaController']>;

/**
 * Schemas document, validation.ts reads requests by them, and answers are plain JSON. Without this Fastify loads its
 * validator and its serializer, a hundred modules that nobody would call.
 */
export const NO_COMPILERS: Controller = {
  compilersFactory: {
    buildValidator: (() => () => () => true) as unknown as NonNullable<
      NonNullable<Controller['compilersFactory']>['buildValidator']
    >,
    buildSerializer: () => () => (value) => JSON.stringify(value),
  },
};
