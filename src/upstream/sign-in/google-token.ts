import { isObject, tryParseJson } from '../../conversation/json.ts';
import type { GoogleCredentials } from '../provider.ts';
import type { IssuedToken } from './access-tokens.ts';

export interface GoogleTokenOptions {
  /** Absent: application default credentials. */
  credentials: GoogleCredentials | undefined;
  scope: string;
  project: string | undefined;
  fetch: typeof globalThis.fetch;
}

/**
 * Asks Google for an access token, by `google-auth-library`. Its own cache is not used, as it lives by its own clock;
 * a key file is read again at each renewal, so a rotated one is found.
 */
export async function fetchGoogleToken(options: GoogleTokenOptions): Promise<IssuedToken> {
  // Heavy, so loaded by those who use it.
  const { GoogleAuth, JWT } = await import('google-auth-library');
  const { credentials, scope, project, fetch } = options;
  const transporterOptions = {
    fetchImplementation: fetch,
    // Retries are the gateway's alone.
    retryConfig: { retry: 0, noResponseRetries: 0 },
  };
  const serviceAccount = readServiceAccount(credentials);
  const client = serviceAccount
    ? new JWT({ ...serviceAccount, scopes: [scope], transporterOptions })
    : await new GoogleAuth({
        scopes: [scope],
        ...(credentials?.file !== undefined && { keyFilename: credentials.file }),
        // Without it the library runs gcloud to find one.
        ...(project !== undefined && { projectId: project }),
        clientOptions: { transporterOptions },
      }).getClient();
  const { token } = await client.getAccessToken();
  const endsAt = client.credentials.expiry_date;
  if (!token || !endsAt) throw new Error('Google gave no access token, or did not say when it ends');
  return { text: token, lifetimeMs: endsAt - Date.now() };
}

/** The private key of credentials that are written in the config, for whoever must not tell it. */
export function privateKeyOf(credentials: GoogleCredentials | undefined): string | undefined {
  return readServiceAccount(credentials)?.key;
}

function readServiceAccount(
  credentials: GoogleCredentials | undefined,
): { email: string; key: string } | undefined {
  const written = credentials?.serviceAccount;
  if (written === undefined) return undefined;
  const { client_email: email, private_key: key } =
    typeof written === 'string' ? parseServiceAccount(written) : written;
  return { email, key };
}

function parseServiceAccount(text: string): { client_email: string; private_key: string } {
  const parsed = tryParseJson(text);
  const { client_email, private_key } = isObject(parsed) ? parsed : {};
  if (typeof client_email !== 'string' || typeof private_key !== 'string')
    throw new Error(
      'a service account has no client_email or private_key, which the config check lets no one have',
    );
  return { client_email, private_key };
}
