import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { BedrockRuntimeClient, ConverseCommand } from '@aws-sdk/client-bedrock-runtime';
import bedrock from '../../../providers/bedrock.ts';
import { isObject } from '../../../src/conversation/json.ts';
import { pathSegment } from '../../../src/upstream/endpoint.ts';
import { createAwsSigner } from '../../../src/upstream/sign-in/aws-signature.ts';
import { type ReceivedRequest, verifyAwsSignature } from '../../support/aws-verifier.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';

const ANSWER = JSON.stringify({
  output: { message: { role: 'assistant', content: [{ text: 'Hello' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
  metrics: { latencyMs: 1 },
});

const upstream = await startRawUpstream((response) => {
  response.setHeader('content-type', 'application/json');
  response.end(ANSWER);
});
after(upstream.close);

const origin = new URL(upstream.baseUrl).origin;
const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'secret/key+1',
  sessionToken: 'session=token',
};
const NOW = Date.UTC(2026, 10, 27, 12, 34, 56);
const signer = createAwsSigner({ credentials, region: 'eu-west-1', service: 'bedrock', now: () => NOW });

/** Sends a signed request and gives it as the server got it. */
async function send(path: string, body: string) {
  const headers = await signer.sign({ method: 'POST', origin, path, body: Buffer.from(body) });
  const pairs = headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : []));
  const response = await fetch(origin + path, {
    method: 'POST',
    body,
    headers: { ...Object.fromEntries(pairs), 'content-type': 'application/json' },
  });
  assert.equal(response.status, 200);
  const received = upstream.requests.at(-1);
  assert.ok(received);
  return { method: 'POST', ...received };
}

/** The ids that Bedrock's own client was recorded with, and what stands in its URLs. */
const MODELS: [id: string, segment: string][] = [
  ['anthropic.claude-v2', 'anthropic.claude-v2'],
  ['us.amazon.nova-micro-v1:0', 'us.amazon.nova-micro-v1%3A0'],
  [
    'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/otnfa2ysixqd',
    'arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fotnfa2ysixqd',
  ],
];

/** The request that AWS's own client would send; it speaks HTTP/2, so it is taken before it is on the wire. */
async function requestOfSdk(modelId: string): Promise<ReceivedRequest> {
  const taken: unknown[] = [];
  const sdk = new BedrockRuntimeClient({
    region: 'eu-west-1',
    credentials: { ...credentials },
    endpoint: origin,
  });
  sdk.middlewareStack.add(
    () => async (args) => {
      taken.push(args.request);
      throw new Error('taken');
    },
    { step: 'deserialize', priority: 'low' },
  );
  const messages = [{ role: 'user' as const, content: [{ text: 'Hi' }] }];
  await assert.rejects(sdk.send(new ConverseCommand({ modelId, messages })), /taken/);
  const [request] = taken;
  assert.ok(isObject(request) && isObject(request['headers']));
  const { method, path, headers, body } = request;
  return {
    method: String(method),
    path: String(path),
    headers: headers as Record<string, string>,
    body: body instanceof Uint8Array ? Buffer.from(body) : String(body),
  };
}

for (const [model, segment] of MODELS) {
  test(`${model}: the id is encoded once, the signature holds, and both are as those of AWS's own client`, async () => {
    const path = bedrock.paths.generate({ model: pathSegment(model), stream: false, settings: {} });
    assert.equal(path, `/model/${segment}/converse`);
    const ours = await send(path, '{"messages":[{"role":"user","content":[{"text":"Grüße"}]}]}');
    const claim = verifyAwsSignature(ours, credentials.secretAccessKey);
    assert.equal(ours.path, path);
    assert.deepEqual(claim, {
      accessKeyId: 'AKIDEXAMPLE',
      region: 'eu-west-1',
      service: 'bedrock',
      date: '20261127T123456Z',
      signedHeaders: ['content-type', 'host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token'],
    });
    assert.equal(ours.headers['x-amz-security-token'], 'session=token');

    const theirs = await requestOfSdk(model);
    assert.equal(theirs.path, path);
    const theirClaim = verifyAwsSignature(theirs, credentials.secretAccessKey);
    assert.equal(theirClaim?.service, claim?.service);
  });
}

test('a body, a path or a secret that is another has another signature', async () => {
  const received = await send('/model/m/converse', '{}');
  const { secretAccessKey } = credentials;
  assert.ok(verifyAwsSignature(received, secretAccessKey));
  assert.equal(verifyAwsSignature({ ...received, body: '{ }' }, secretAccessKey), undefined);
  assert.equal(verifyAwsSignature({ ...received, path: '/model/n/converse' }, secretAccessKey), undefined);
  assert.equal(verifyAwsSignature(received, 'other'), undefined);
});

test('neither part of the credentials is told', () => {
  assert.deepEqual(new Set(signer.secrets()), new Set(['AKIDEXAMPLE', 'secret/key+1', 'session=token']));
});
