import { SluiceError } from '../../../errors/error.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A destination about to be stored, or tried. Holds secrets: never log it. */
export interface DestinationWrite {
  /** As it will be: what was stored with what was sent over it. */
  readonly config: Fields;
  readonly sent: Fields;
  /** Null = a new export. */
  readonly stored: Fields | null;
  /** The linked credentials; null = none. */
  readonly integration: { readonly config: Fields; readonly secrets: Fields } | null;
}

export interface WritePorts {
  /** Null when the host may be reached, else what is wrong with it. */
  readonly problemWithHost: (host: string) => Promise<string | null>;
  /** Whether the administrator named the host in SLUICE_ALLOWED_HOSTS; that it is public is not enough. */
  readonly allowsHost: (host: string) => Promise<boolean>;
  /** The kind of an integration of this project; null = there is none of this number. */
  readonly kindOf: (integrationId: number) => Promise<string | null>;
  /** The project's own folder of SLUICE_FILES_ROOT; null = the root itself. */
  readonly folder: () => Promise<string | null>;
}

/** The first problem in words, answered as 400 invalid_input with attr `destination`; null = none. */
export type Accepts = (write: DestinationWrite, ports: WritePorts) => Promise<string | null>;

export const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

/** An integration must hold these, as its kind makes sure today: older ones may not. */
export const complete =
  (wanted: { readonly config?: readonly string[]; readonly secrets?: readonly string[] }): Accepts =>
  async ({ integration }) => {
    if (!integration) return null;
    const missing = [
      ...(wanted.config ?? []).filter((name) => !isText(integration.config[name])),
      ...(wanted.secrets ?? []).filter((name) => !isText(integration.secrets[name])),
    ];
    return missing.length === 0 ? null : `The integration lacks ${missing.join(', ')}; create it again.`;
  };

/** The integration's host, else the config's, must be one that may be reached (contract.md §5). */
export const hostIsPublic: Accepts = async ({ config, integration }, ports) => {
  const host = isText(integration?.config.host) ? integration.config.host : config.host;
  if (!isText(host)) return 'The destination needs a host: in its integration, or in its config.';
  return ports.problemWithHost(host);
};

/** The first problem of several rules, in their order. */
export const inOrder =
  (...rules: readonly Accepts[]): Accepts =>
  async (write, ports) => {
    for (const rule of rules) {
      const problem = await rule(write, ports);
      if (problem !== null) return problem;
    }
    return null;
  };

/** Throws the problem that a destination's own rules have with a write. */
export async function accept(
  rules: Accepts | undefined,
  write: DestinationWrite,
  ports: WritePorts,
): Promise<void> {
  const problem = rules ? await rules(write, ports) : null;
  if (problem !== null) throw new SluiceError('invalid_input', { attr: 'destination', detail: problem });
}
