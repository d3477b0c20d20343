import { createInterface } from 'node:readline';
import { SluiceError } from '../errors/error.ts';

export type SecretInput = NodeJS.ReadableStream & {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
};

/**
 * A secret that never stands in a command line, which others can see: asked for twice without an echo on a terminal, or
 * the first line of standard input. Throws `invalid_input` when the two differ or there is none.
 */
export async function readSecret(
  question: string,
  input: SecretInput,
  output: NodeJS.WritableStream,
): Promise<string> {
  if (!input.isTTY) return firstLine(input);
  const secret = await ask(`${question}: `, input, output);
  const again = await ask(`${question} again: `, input, output);
  if (secret === again) return secret;
  throw new SluiceError('invalid_input', { detail: 'The two are not the same; nothing was changed.' });
}

async function firstLine(input: SecretInput): Promise<string> {
  for await (const line of createInterface({ input })) {
    if (line !== '') return line;
    break;
  }
  throw new SluiceError('invalid_input', { detail: 'Standard input has no line to read the password from.' });
}

const ENTER = new Set(['\r', '\n', '\u0004']);
const BACKSPACE = new Set(['\u007f', '\b']);
const INTERRUPT = '\u0003';

function ask(prompt: string, input: SecretInput, output: NodeJS.WritableStream): Promise<string> {
  output.write(prompt);
  input.setRawMode?.(true);
  input.resume();
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const end = (act: () => void) => {
      input.off('data', onData);
      input.setRawMode?.(false);
      input.pause();
      output.write('\n');
      act();
    };
    const onData = (data: Buffer | string) => {
      for (const key of String(data)) {
        if (key === INTERRUPT)
          return end(() => reject(new SluiceError('invalid_input', { detail: 'Stopped.' })));
        if (ENTER.has(key)) return end(() => resolve(typed.join('')));
        typed = BACKSPACE.has(key) ? typed.slice(0, -1) : [...typed, key];
      }
    };
    input.on('data', onData);
  });
}
