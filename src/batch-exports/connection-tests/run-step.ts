import type { BatchExportRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { Destination, TestResult, TestStep } from '../../export/destinations/destination.ts';
import { acceptDestination, readDestination } from '../destination.ts';
import type { ResourcePorts } from '../ports.ts';
import { readExportQuery } from '../query.ts';
import { checkFields, checkWhole } from '../rules.ts';
import type { WriteBody } from '../schema.ts';

/** A step as the API shows it; `result` null = not run. */
export interface ShownStep {
  readonly name: string;
  readonly description: string;
  readonly result: TestResult | null;
}

export const shown = ({ name, description }: TestStep, result: TestResult | null): ShownStep => ({
  name,
  description,
  result,
});

/** The steps of a type; throws `not_found` for one without a test (contract.md §6). */
export function stepsOf(destinations: ReadonlyMap<string, Destination>, type: string): readonly TestStep[] {
  const steps = destinations.get(type)?.testSteps;
  if (steps) return steps;
  throw new SluiceError('not_found', {
    detail: 'There is no connection test for destinations of this type.',
  });
}

/**
 * Runs one step with a configuration as it was sent, over what `stored` holds (null = a new export). The body is
 * checked as when it is written; nothing is stored. What goes wrong on the way is the step's result, not an error.
 */
export async function runStep(
  ports: ResourcePorts,
  teamId: number,
  body: WriteBody & { readonly step?: number },
  stored: BatchExportRow | null,
): Promise<ShownStep> {
  if (!body.destination) throw new SluiceError('required', { attr: 'destination' });
  checkFields(body, stored, ports.gates);
  const whole = await readDestination(ports.db, ports, teamId, body.destination, stored, stored === null);
  await acceptDestination(ports, teamId, whole);
  checkWhole(body, stored, whole.destination.type, await readExportQuery(ports, teamId, body, stored));
  const steps = whole.destination.testSteps;
  if (!steps) {
    const detail = `There is no connection test for ${whole.destination.title}.`;
    throw new SluiceError('invalid_input', { attr: 'destination', detail });
  }
  const step = steps[body.step ?? 0];
  if (!step) {
    const detail = `There are ${steps.length} steps, counted from 0.`;
    throw new SluiceError('invalid_input', { attr: 'step', detail });
  }
  const opened =
    whole.integrationId === null ? null : await ports.openIntegration(teamId, whole.integrationId);
  const setup = {
    type: whole.destination.type,
    config: whole.config,
    integration: { ...opened?.config, ...opened?.secrets },
    folder: await ports.filesFolder(teamId),
  };
  return shown(step, await resultOf(ports, step, setup));
}

async function resultOf(
  { clock, destinationPorts }: ResourcePorts,
  step: TestStep,
  setup: Parameters<TestStep['run']>[0],
): Promise<TestResult> {
  try {
    return await step.run(setup, {
      ...destinationPorts,
      clock,
      // Whoever waits for a test wants to see the first failure, not the sixth.
      onRetry: ({ what, error }) => {
        const detail = `${what} failed: ${error instanceof Error ? error.message : String(error)}`;
        throw new SluiceError('destination_unavailable', { detail, cause: error });
      },
    });
  } catch (error) {
    if (error instanceof SluiceError && error.kind !== 'bug')
      return { status: 'Failed', message: error.message };
    throw error;
  }
}
