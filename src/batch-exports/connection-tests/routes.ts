import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { type Endpoint, endpoint } from '../../http/endpoint.ts';
import type { ResourcePorts } from '../ports.ts';
import { READ, requireExport, WRITE } from '../routes.ts';
import { patchSchema, writeSchema } from '../schema.ts';
import { findExport } from '../store.ts';
import { runStep, shown, stepsOf } from './run-step.ts';

const TAG = 'Connection tests';

const StepSchema = Type.Object(
  {
    name: Type.String(),
    description: Type.String(),
    result: Type.Union([
      Type.Object({
        status: Type.Union([Type.Literal('Passed'), Type.Literal('Failed'), Type.Literal('Skipped')]),
        message: Type.Union([Type.String(), Type.Null()]),
      }),
      Type.Null(),
    ]),
  },
  { title: 'ConnectionTestStep' },
);

const step = Type.Optional(Type.Integer({ minimum: 0, description: 'Which step, from 0. Default: 0.' }));

/** contract.md §6: what a connection test consists of, and running one step of it. */
export function connectionTestEndpoints(ports: ResourcePorts): Endpoint[] {
  const types = [...ports.destinations.keys()].filter((type) => type !== 'FileDownload');
  const common = { area: 'project', tag: TAG } as const;
  return [
    endpoint({
      ...common,
      method: 'GET',
      path: '/batch_exports/test',
      operationId: 'batch_exports_test_retrieve',
      summary: 'The steps of the connection test of a destination type',
      scope: READ,
      query: Type.Object({
        destination: Type.Optional(Type.String({ description: 'A type, such as AwsS3.' })),
      }),
      response: { 200: Type.Object({ steps: Type.Array(StepSchema) }) },
      handler: async ({ query }) => {
        if (!query.destination?.trim()) throw new SluiceError('required', { attr: 'destination' });
        const steps = stepsOf(ports.destinations, query.destination);
        return { status: 200, body: { steps: steps.map((each) => shown(each, null)) } };
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: '/batch_exports/run_test_step_new',
      operationId: 'batch_exports_run_test_step_new_create',
      summary: 'Run a step of the connection test for an export that does not exist yet',
      scope: WRITE,
      body: Type.Object({ ...writeSchema(types).properties, step }),
      response: { 200: StepSchema },
      handler: async ({ project, body }) => ({
        status: 200,
        body: await runStep(ports, project.id, body, null),
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: '/batch_exports/:id/run_test_step',
      operationId: 'batch_exports_run_test_step_create',
      summary: "Run a step of the connection test with an export's stored configuration and changes to it",
      scope: WRITE,
      body: Type.Object({ ...patchSchema(types).properties, step }),
      requireObject: requireExport(ports),
      response: { 200: StepSchema },
      handler: async ({ project, params, body }) => {
        const stored = await findExport(ports.db, project.id, params.id);
        return { status: 200, body: await runStep(ports, project.id, body, stored) };
      },
    }),
  ];
}
