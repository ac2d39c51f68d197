import { isObject, tryParseJson } from '../../conversation/json.ts';
import type { EntraCredentials } from '../provider.ts';
import type { IssuedToken } from './access-tokens.ts';

export interface EntraTokenOptions {
  credentials: EntraCredentials;
  scope: string;
  fetch: typeof globalThis.fetch;
}

/**
 * Asks Microsoft Entra ID for an access token for an application.
 * Source: Microsoft identity platform, "OAuth 2.0 client credentials flow", access token request with a shared secret.
 */
export async function fetchEntraToken({
  credentials,
  scope,
  fetch,
}: EntraTokenOptions): Promise<IssuedToken> {
  const { tenantId, clientId, clientSecret } = credentials;
  const response = await fetch(
    `https://login.microsoftonline.com/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`,
    {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
        scope,
      }),
    },
  );
  const answer = tryParseJson(await response.text());
  const { access_token, expires_in, error, error_description } = isObject(answer) ? answer : {};
  if (typeof access_token !== 'string' || typeof expires_in !== 'number') {
    throw new Error(
      `Entra ID answered ${response.status}: ${error_description ?? error ?? 'no access token'}`,
    );
  }
  return { text: access_token, lifetimeMs: expires_in * 1000 };
}
