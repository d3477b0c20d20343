import type { Clock } from '../../work/clock.ts';
import type { SocketLookup } from '../../work/hosts.ts';

type Config = Readonly<Record<string, unknown>>;

/** The kinds of app metrics (contract.md §3). */
export const METRIC_CATEGORIES = [
  'processEvent',
  'onEvent',
  'exportEvents',
  'scheduledTask',
  'webhook',
  'composeWebhook',
] as const;
export type MetricCategory = (typeof METRIC_CATEGORIES)[number];

/**
 * An app is one object of this shape in one file, and one line in `index.ts`. The API's plugin, the form of its
 * config, delivery and metrics follow from it.
 */
export interface App {
  /** The API's plugin id; never reused. */
  readonly id: number;
  readonly name: string;
  readonly slug: string;
  readonly description: string;
  readonly fields: readonly AppField[];
  /** Rules beyond the fields' own, on a complete config with its secrets; empty = it is right. Never repeats a secret. */
  check(config: Config, ports: CheckPorts): Promise<readonly FieldProblem[]>;
  /** Batches go out one after the other, so that events of a person arrive in the order they came in. */
  readonly orderedPerDistinctId: boolean;
  /** Whether it sends a batch's events one by one: a refusal then speaks of the first that was not taken. Absent: never. */
  readonly oneByOne?: (config: Config) => boolean;
  readonly batch: BatchLimits;
  /** Of live deliveries; historical exports count as `exportEvents`. */
  readonly metricCategory: MetricCategory;
  /** What upstream calls the methods of a plugin: `exportEvents`, `onEvent`. */
  readonly methods: readonly string[];
  /**
   * Resolves when the receiver has taken the batch. May be called again with the same batch. Throws a SluiceError:
   * `delivery_refused` (these events never), `delivery_too_large` (in smaller pieces), any other (try again later).
   */
  deliver(batch: Batch, context: DeliveryContext): Promise<void>;
}

export interface AppField {
  readonly key: string;
  readonly title: string;
  readonly type: 'string' | 'choice' | 'boolean' | 'integer';
  readonly required: boolean;
  readonly default?: string | boolean | number;
  /** Sealed at rest, never returned. */
  readonly secret?: true;
  /** For `choice`. */
  readonly choices?: readonly string[];
  /** For `integer`, both inclusive. */
  readonly min?: number;
  readonly max?: number;
  readonly hint?: string;
}

export interface FieldProblem {
  readonly key: string;
  readonly detail: string;
}

export interface CheckPorts {
  /** Null when the host may be reached, else what is wrong with it. */
  readonly problemWithHost: (host: string) => Promise<string | null>;
}

export interface BatchLimits {
  readonly events: number;
  readonly bytes: number;
  /** An event waits at most so long for others, milliseconds. */
  readonly waitMs: number;
}

/** Events in their order, the same ones with the same id at every attempt. */
export interface Batch {
  /** UUID; the idempotency key. */
  readonly id: string;
  readonly events: readonly AppEvent[];
  /** When its last event arrived (live) or happened (historical export), milliseconds since the epoch. */
  readonly endsAt: number;
  /** Events of the past, sent on request, not as they happen. */
  readonly historical: boolean;
}

/** Times are ISO 8601 with microseconds, UTC. */
export interface AppEvent {
  readonly uuid: string;
  readonly event: string;
  readonly distinct_id: string;
  readonly timestamp: string;
  readonly created_at: string;
  /** JSON text on one line. */
  readonly properties: string;
  readonly person_id: string;
  /** JSON text on one line. */
  readonly person_properties: string;
  readonly elements_chain: string;
}

export interface DeliveryContext {
  readonly pluginConfigId: number;
  readonly teamId: number;
  /** Complete, secrets included: never log it. */
  readonly config: Config;
  readonly ports: DeliveryPorts;
  readonly signal: AbortSignal;
  /**
   * Of an app that sends events one by one, in their order: one more of the batch has been taken. Should the rest fail, it is not
   * sent again.
   */
  readonly onTaken: () => void;
}

export interface DeliveryPorts {
  readonly clock: Clock;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  /** One POST; throws as `deliver` does, with `retryAfter` where the receiver says so. */
  readonly post: (request: PostRequest) => Promise<void>;
  /** Throws `destination_config` when the host may not be reached. */
  readonly checkHost: (host: string) => Promise<void>;
  /** For connections to hosts that users name, as `checkHost` is: the name's owner can answer differently the second time. */
  readonly lookup: SocketLookup;
}

export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  readonly signal: AbortSignal;
}
