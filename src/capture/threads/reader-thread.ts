import { parentPort } from 'node:worker_threads';
import { createPersonIds } from '../person-id.ts';
import { createReader, type ReaderPorts, type SentRequest } from '../reader.ts';
import { newUuid } from '../uuid.ts';
import { asBuffer, errorOf, type FromThread, failureOf, type ToThread } from './protocol.ts';

/**
 * The thread that reads captured requests, started by `open-thread.ts`: one after the other, since 20 MB of events are some
 * 200 MB while they are read. Whose a project key is the thread that started it knows.
 */

type Given = Extract<ToThread, { request: unknown }>;
type Project = Awaited<ReturnType<ReaderPorts['projectByKey']>>;

const asked = new Map<number, PromiseWithResolvers<Project>>();
const personId = createPersonIds();
let turn = Promise.resolve();

parentPort?.on('message', (message: ToThread) => {
  if ('request' in message) turn = turn.then(() => read(message));
  else settle(message);
});

async function read({ id, request }: Given): Promise<void> {
  const reader = createReader({ projectByKey: (key) => ask(id, key), newUuid, personId });
  try {
    const read = await reader.read(withBuffer(request));
    const { bytes, stampOffsets } = read.rows;
    tell({ id, read }, [bytes.buffer, stampOffsets.buffer]);
  } catch (error) {
    tell({ id, failure: failureOf(error) });
  }
}

function withBuffer(request: SentRequest): SentRequest {
  const { content } = request;
  return 'raw' in content ? { ...request, content: { ...content, raw: asBuffer(content.raw) } } : request;
}

function ask(id: number, key: string): Promise<Project> {
  const question = Promise.withResolvers<Project>();
  asked.set(id, question);
  tell({ id, key });
  return question.promise;
}

function settle(answer: Exclude<ToThread, Given>): void {
  const question = asked.get(answer.id);
  asked.delete(answer.id);
  if ('failure' in answer) question?.reject(errorOf(answer.failure));
  else question?.resolve(answer.project);
}

function tell(message: FromThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}
