import { parentPort } from 'node:worker_threads';
import createHogQLParser from '@posthog/hogql-parser';

/** Runs in a thread of its own: says `ready` once, then answers each text with the parser's JSON. */
const parser = await createHogQLParser();
parentPort?.on('message', (text: string) => parentPort?.postMessage(parser.parseSelect(text, true)));
parentPort?.postMessage('ready');
