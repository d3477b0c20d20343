import Type from 'typebox';
import type { Answer, Endpoint } from '../http/endpoint.ts';
import { MAX_BODY_BYTES } from './body.ts';

/**
 * What posthog-js and posthog-node ask for beside capture, answered so that they start without errors
 * and ask for nothing more: no feature flags, no surveys, no session recording.
 */
export function sdkEndpoints(): Endpoint[] {
  return [
    post('/flags', 'flags_create', () => ({
      flags: {},
      featureFlags: {},
      featureFlagPayloads: {},
      errorsWhileComputingFlags: false,
      quotaLimited: [],
    })),
    post('/decide', 'decide_create', () => ({
      ...REMOTE_CONFIG,
      featureFlags: {},
      featureFlagPayloads: {},
      errorsWhileComputingFlags: false,
    })),
    // Session recordings are accepted, so that pages see no errors, and dropped: Sluice stores none.
    post('/s', 'session_recordings_create', () => ({ status: 'Ok' })),
    get('root', '/array/:token/config', 'remote_config_retrieve', (token) => ({ token, ...REMOTE_CONFIG })),
    remoteConfigScript(),
    get('api', '/surveys', 'surveys_retrieve', () => ({ surveys: [] })),
    get('api', '/early_access_features', 'early_access_features_retrieve', () => ({
      earlyAccessFeatures: [],
    })),
    get('api', '/web_experiments', 'web_experiments_retrieve', () => ({ experiments: [] })),
    get('api', '/product_tours', 'product_tours_retrieve', () => ({ product_tours: [] })),
  ];
}

/** No `surveys`: even when it is `false`, posthog-js loads the script that would show them. */
const REMOTE_CONFIG = {
  supportedCompression: ['gzip', 'gzip-js'],
  hasFeatureFlags: false,
  autocapture_opt_out: false,
  autocaptureExceptions: false,
  captureDeadClicks: false,
  capturePerformance: false,
  analytics: { endpoint: '/i/v0/e/' },
  elementsChainAsString: true,
  sessionRecording: false,
  heatmaps: false,
  conversations: false,
  productTours: false,
  defaultIdentifiedOnly: true,
  siteApps: [],
  isAuthenticated: false,
  toolbarParams: {},
};

const Anything = Type.Object({}, { additionalProperties: true });
const shared = {
  tag: 'sdk',
  scope: 'public',
  cors: true,
  hidden: true,
  response: { 200: Anything },
} as const;

function post(path: string, operationId: string, body: () => unknown): Endpoint {
  return {
    ...shared,
    method: 'POST',
    area: 'root',
    path,
    operationId,
    summary: 'Lets the SDKs start',
    unread: true,
    bodyLimit: MAX_BODY_BYTES,
    handler: async () => json(body()),
  };
}

function get(
  area: 'root' | 'api',
  path: string,
  operationId: string,
  body: (token: string | undefined) => unknown,
): Endpoint {
  return {
    ...shared,
    method: 'GET',
    area,
    path,
    operationId,
    summary: 'Lets the SDKs start',
    handler: async ({ params }) => json(body(params.token)),
  };
}

/** The same as a script: posthog-js loads this first and reads the global it leaves. */
function remoteConfigScript(): Endpoint {
  return {
    ...shared,
    method: 'GET',
    area: 'root',
    path: '/array/:token/config.js',
    operationId: 'remote_config_script_retrieve',
    summary: 'Lets the SDKs start',
    handler: async ({ params }) => {
      const token = JSON.stringify(params.token ?? '');
      const config = JSON.stringify({ token: params.token, ...REMOTE_CONFIG });
      const body =
        `(window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {})[${token}] = ` +
        `{config: ${config}, siteApps: []};`;
      return { status: 200, body, headers: { 'content-type': 'application/javascript; charset=utf-8' } };
    },
  };
}

function json(body: unknown): Answer {
  return { status: 200, body };
}
