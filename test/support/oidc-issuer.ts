import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface OidcIssuer {
  url: string;
  /** How often its keys were fetched. */
  readonly fetches: number;
  /** Makes a token of this issuer for `gateway`, valid for an hour unless the claims say otherwise. */
  sign(claims: JWTPayload, header?: { alg?: string; kid?: string }): Promise<string>;
  /** From now on it signs with another key, beside which it shows the one before. */
  rotate(): Promise<void>;
  /** It shows none but the key that it signs with any more. */
  takeBackEarlier(): void;
  /** What its discovery and keys are answered with instead; `undefined` for what they are. */
  broken: number | undefined;
  close(): Promise<void>;
}

/** An OpenID issuer: its configuration (OpenID Connect Discovery 1.0) and its keys (RFC 7517) over HTTP. */
export async function startOidcIssuer(): Promise<OidcIssuer> {
  const makeKey = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
  };
  let keys = [await makeKey('key-1')];
  let fetches = 0;
  let broken: number | undefined;
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (broken !== undefined) {
      response.writeHead(broken).end('{}');
    } else if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: url, jwks_uri: `${url}/keys` }));
    } else if (request.url === '/keys') {
      fetches += 1;
      response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    } else {
      response.writeHead(404).end('{}');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    get fetches() {
      return fetches;
    },
    get broken() {
      return broken;
    },
    set broken(status) {
      broken = status;
    },
    async sign(claims, header) {
      const [key] = keys;
      if (!key) throw new Error('the issuer has no key');
      const token = new SignJWT({
        iss: url,
        aud: 'gateway',
        exp: Math.floor(Date.now() / 1000) + 3600,
        ...claims,
      });
      return token.setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header }).sign(key.privateKey);
    },
    async rotate() {
      keys = [await makeKey(`key-${keys.length + 1}`), ...keys];
    },
    takeBackEarlier() {
      keys = keys.slice(0, 1);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
