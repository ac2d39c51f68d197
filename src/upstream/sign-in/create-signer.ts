import { GatewayError } from '../../conversation/gateway-error.ts';
import type {
  AwsCredentials,
  EntraCredentials,
  GoogleCredentials,
  ProviderDeclaration,
  Settings,
} from '../provider.ts';
import { listSecrets, redactSecrets } from '../secrets.ts';
import { AccessTokens, type IssuedToken } from './access-tokens.ts';
import { createAwsSigner } from './aws-signature.ts';
import { fetchEntraToken } from './entra-token.ts';
import { fetchGoogleToken, privateKeyOf } from './google-token.ts';
import type { Signer } from './signer.ts';

/** What signing in needs from outside. */
export interface SignInContext {
  /** Unix milliseconds. */
  now: () => number;
  /** For the issuers of tokens. */
  fetch: typeof globalThis.fetch;
  warn: (fields: object, message: string) => void;
}

export interface Credentials {
  aws?: AwsCredentials | undefined;
  google?: GoogleCredentials | undefined;
  entra?: EntraCredentials | undefined;
}

/** An issuer that does not answer within this is away. */
const ISSUER_TIMEOUT_MS = 10_000;

/** What signs an account's requests; `undefined` where nothing does. `provider`: its name, for messages. */
export function createSigner(
  provider: string,
  { signIn }: ProviderDeclaration,
  settings: Settings,
  { aws, google, entra }: Credentials,
  context: SignInContext,
): Signer | undefined {
  const fetch = boundFetch(context.fetch);
  switch (signIn?.kind) {
    case undefined:
      return undefined;
    case 'aws': {
      if (!aws) return undefined;
      if (settings.region === undefined)
        throw new Error(`provider '${provider}' has no region, which the config check lets no one have`);
      return createAwsSigner({
        credentials: aws,
        region: settings.region,
        service: signIn.service,
        now: context.now,
      });
    }
    case 'google': {
      const { scope } = signIn;
      const { project } = settings;
      const secret = privateKeyOf(google);
      const fetchToken = () => fetchGoogleToken({ credentials: google, scope, project, fetch });
      return createTokenSigner(provider, fetchToken, secret, context);
    }
    case 'entra': {
      if (!entra) return undefined;
      const { scope } = signIn;
      const fetchToken = () => fetchEntraToken({ credentials: entra, scope, fetch });
      return createTokenSigner(provider, fetchToken, entra.clientSecret, context);
    }
    default:
      return signIn satisfies never;
  }
}

function createTokenSigner(
  provider: string,
  fetchToken: () => Promise<IssuedToken>,
  secret: string | undefined,
  { now, warn }: SignInContext,
): Signer {
  const secrets = () => [secret, tokens.current].filter((text) => text !== undefined);
  const tokens = new AccessTokens({
    fetchToken,
    now,
    onRenewalFailed: (error) =>
      warn(
        { provider, event: 'upstream_sign_in_failed', reason: describeReason(error, secrets()) },
        'an access token could not be renewed; the old one is still good',
      ),
  });
  return {
    async sign() {
      try {
        return ['authorization', `Bearer ${await tokens.get()}`];
      } catch (error) {
        throw signInFailed(provider, error);
      }
    },
    renews: true,
    reject: () => tokens.drop(),
    secrets,
  };
}

function signInFailed(provider: string, cause: unknown): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    `The gateway could not sign in at the provider '${provider}'. Tell the gateway's operator; your key is fine.`,
    { code: 'upstream_sign_in_failed', cause },
  );
}

/** Why signing in failed, in words for the operator, without any secret that they might quote. */
export function describeReason(error: unknown, secrets: readonly string[]): string {
  let reason = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && !reason.includes(cause.message)) reason += ` (${cause.message})`;
  return redactSecrets(reason, listSecrets(secrets));
}

function boundFetch(fetch: SignInContext['fetch']): SignInContext['fetch'] {
  return (input, init) => {
    const timeout = AbortSignal.timeout(ISSUER_TIMEOUT_MS);
    const signal = init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    return fetch(input, { ...init, signal });
  };
}
