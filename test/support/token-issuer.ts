import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';

export const SERVICE_ACCOUNT = 'gateway@my-project.iam.gserviceaccount.com';
export const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
export const ENTRA = {
  tenantId: 'contoso.example',
  clientId: 'the-application',
  clientSecret: 'entra~secret',
};

const GOOGLE = 'https://oauth2.googleapis.com/token';
const MICROSOFT = `https://login.microsoftonline.com/${ENTRA.tenantId}/oauth2/v2.0/token`;

export interface TokenIssuer {
  /** The key file of `SERVICE_ACCOUNT`. */
  serviceAccount: { type: string; client_email: string; private_key: string };
  /** Reaches this issuer at the addresses of Google and Microsoft, and nothing else. */
  fetch: typeof fetch;
  /** How often a token was asked for. */
  readonly requests: number;
  /** Tokens that were given, in order. */
  tokens: string[];
  /** What the next requests are answered with instead of a token. */
  refusal: { status: number; body: object } | undefined;
  /** Held until it resolves. */
  held: Promise<void> | undefined;
  close(): Promise<void>;
}

/** The token endpoints of Google and Microsoft Entra ID as one server; checks what it is sent as they do. */
export async function startTokenIssuer(lifetimeSeconds = 3600): Promise<TokenIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const tokens: string[] = [];
  let requests = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    requests++;
    await issuer.held;
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    const mistake =
      request.url === '/google' ? findMistakeInAssertion(form, publicPem) : findMistakeInSecret(form);
    const { status, body } = issuer.refusal ?? (mistake ? refuse(mistake) : give());
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  const refuse = (mistake: string) => ({
    status: 400,
    body: { error: 'invalid_grant', error_description: mistake },
  });
  const give = () => {
    tokens.push(`ya29.token-${tokens.length + 1}`);
    return {
      status: 200,
      body: { access_token: tokens.at(-1), expires_in: lifetimeSeconds, token_type: 'Bearer' },
    };
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: TokenIssuer = {
    serviceAccount: {
      type: 'service_account',
      client_email: SERVICE_ACCOUNT,
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    },
    fetch: (input, init) => {
      const url = String(input);
      if (url !== GOOGLE && url !== MICROSOFT) return Promise.reject(new Error(`${url} is not to be asked`));
      return fetch(origin + (url === GOOGLE ? '/google' : '/microsoft'), init);
    },
    get requests() {
      return requests;
    },
    tokens,
    refusal: undefined,
    held: undefined,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}

/** Source: Google, "Using OAuth 2.0 for Server to Server Applications": what the assertion must say. */
function findMistakeInAssertion(form: URLSearchParams, publicPem: string): string | undefined {
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return 'Bad grant type';
  const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
  const signed = Buffer.from(`${head}.${claims}`);
  const isSigned = verify(
    'RSA-SHA256',
    signed,
    createPublicKey(publicPem),
    Buffer.from(signature, 'base64url'),
  );
  if (!isSigned) return 'Invalid JWT Signature.';
  const { alg } = decodePart(head);
  const { iss, scope, aud, iat, exp } = decodePart(claims);
  if (alg !== 'RS256') return 'Bad algorithm';
  if (iss !== SERVICE_ACCOUNT) return 'Invalid issuer';
  if (aud !== GOOGLE) return 'Bad audience';
  if (scope !== SCOPE) return 'Bad scope';
  const now = Date.now() / 1000;
  const isInTime =
    typeof iat === 'number' && typeof exp === 'number' && iat <= now + 1 && exp > now && exp <= iat + 3600;
  return isInTime ? undefined : 'Token must be a short-lived token';
}

function findMistakeInSecret(form: URLSearchParams): string | undefined {
  const expected = {
    grant_type: 'client_credentials',
    client_id: ENTRA.clientId,
    client_secret: ENTRA.clientSecret,
    scope: 'https://cognitiveservices.azure.com/.default',
  };
  const wrong = Object.entries(expected).find(([name, value]) => form.get(name) !== value);
  return wrong && `AADSTS7000215: wrong ${wrong[0]}: ${form.get(wrong[0])}`;
}

function decodePart(part: string): JsonObject {
  const value = tryParseJson(Buffer.from(part, 'base64url').toString());
  return isObject(value) ? value : {};
}
