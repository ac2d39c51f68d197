import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import azureOpenai from '../../../providers/azure-openai.ts';
import vertex from '../../../providers/vertex.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { ProviderDeclaration } from '../../../src/upstream/provider.ts';
import { type Credentials, createSigner } from '../../../src/upstream/sign-in/create-signer.ts';
import type { Signer } from '../../../src/upstream/sign-in/signer.ts';
import { ENTRA, startTokenIssuer, type TokenIssuer } from '../../support/token-issuer.ts';

const issuer = await startTokenIssuer();
after(issuer.close);

const REQUEST = { method: 'POST', origin: 'https://x.example', path: '/', body: Buffer.from('{}') } as const;

function signerOf(
  declaration: ProviderDeclaration,
  credentials: Credentials,
  from: TokenIssuer = issuer,
): Signer {
  const warn = (_fields: object, message: string) => assert.fail(message);
  const context = { now: Date.now, fetch: from.fetch, warn };
  const signer = createSigner('cloud', declaration, { project: 'my-project' }, credentials, context);
  assert.ok(signer);
  return signer;
}

function takenToken(headers: string[]): string {
  assert.equal(headers.length, 2);
  assert.equal(headers[0], 'authorization');
  const [, token = ''] = /^Bearer (.+)$/.exec(headers[1] ?? '') ?? [];
  return token;
}

test('a service account signs an assertion and gets a token; its key and the token are secrets', async () => {
  const { serviceAccount } = issuer;
  for (const written of [serviceAccount, JSON.stringify(serviceAccount)]) {
    const signer = signerOf(vertex, { google: { serviceAccount: written } });
    assert.deepEqual(signer.secrets(), [serviceAccount.private_key]);
    const token = takenToken(await signer.sign(REQUEST));
    assert.equal(token, issuer.tokens.at(-1));
    assert.deepEqual(signer.secrets(), [serviceAccount.private_key, token]);
  }
});

test('a key file is read again at each renewal', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-google-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'key.json');
  const signer = signerOf(vertex, { google: { file } });
  await assert.rejects(signer.sign(REQUEST), /could not sign in at the provider 'cloud'/);
  await writeFile(file, JSON.stringify(issuer.serviceAccount));
  assert.equal(takenToken(await signer.sign(REQUEST)), issuer.tokens.at(-1));
});

test('an application of Entra ID gets a token by its secret', async () => {
  const signer = signerOf(azureOpenai, { entra: ENTRA });
  const token = takenToken(await signer.sign(REQUEST));
  assert.equal(token, issuer.tokens.at(-1));
  assert.deepEqual(signer.secrets(), [ENTRA.clientSecret, token]);
  const wrong = signerOf(azureOpenai, { entra: { ...ENTRA, clientSecret: 'wrong' } });
  await assert.rejects(wrong.sign(REQUEST), (error) => {
    assert.ok(error instanceof GatewayError && error.cause instanceof Error);
    assert.equal(error.kind, 'upstream_unavailable');
    assert.equal(error.code, 'upstream_sign_in_failed');
    assert.match(error.cause.message, /Entra ID answered 400: AADSTS7000215: wrong client_secret/);
    return true;
  });
});

test('many calls at once ask for one token, and a dropped one is asked for anew', async () => {
  const signer = signerOf(vertex, { google: { serviceAccount: issuer.serviceAccount } });
  const before = issuer.requests;
  const signed = await Promise.all(Array.from({ length: 20 }, () => signer.sign(REQUEST)));
  assert.equal(new Set(signed.map(takenToken)).size, 1);
  assert.equal(issuer.requests, before + 1);
  signer.reject();
  await signer.sign(REQUEST);
  assert.equal(issuer.requests, before + 2);
});

test('an issuer that fails is asked once, not again and again', async (t) => {
  t.after(() => {
    issuer.refusal = undefined;
  });
  issuer.refusal = { status: 503, body: { error: 'unavailable', error_description: 'try later' } };
  const before = issuer.requests;
  const signer = signerOf(vertex, { google: { serviceAccount: issuer.serviceAccount } });
  await assert.rejects(signer.sign(REQUEST), { code: 'upstream_sign_in_failed' });
  assert.equal(issuer.requests, before + 1);
});
