import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  modelFor,
  OPERATION_DOORS,
  type OperationDoor,
  type OperationOutcome,
  operationOutcome,
} from '../../scripts/compatibility/operations.ts';
import { declarationOf } from '../sdk/matrix/expected.ts';
import { PROVIDER_KINDS, type ProviderKind } from '../sdk/matrix/providers.ts';
import { startMatrixWorld } from '../sdk/matrix/world.ts';
import { TEST_KEY } from '../support/gateway.ts';

const world = await startMatrixWorld(PROVIDER_KINDS);
after(() => world.close());

const SAID = { role: 'user', content: 'Hi' };
const CONTENT = { role: 'user', parts: [{ text: 'Hi' }] };

/** A body in JSON for each door that takes one; forms hold a file. */
const BODIES: Readonly<Record<string, (model: string) => object>> = {
  '/v1/completions': (model) => ({ model, prompt: 'Hi' }),
  '/v1/embeddings': (model) => ({ model, input: 'Hi' }),
  '/v1beta/models/MODEL:batchEmbedContents': (model) => ({
    requests: [{ model: `models/${model}`, content: { parts: [{ text: 'Hi' }] } }],
  }),
  '/v1/messages/count_tokens': (model) => ({ model, messages: [SAID] }),
  '/v1beta/models/MODEL:countTokens': () => ({ contents: [CONTENT] }),
  '/v1/responses/input_tokens': (model) => ({ model, input: 'Hi', instructions: 'Be brief.' }),
  '/v1/images/generations': (model) => ({ model, prompt: 'a cat' }),
  '/v1/audio/speech': (model) => ({ model, input: 'Hi', voice: 'alloy' }),
  '/v1/moderations': (model) => ({ model, input: 'Hi' }),
  '/v1/rerank': (model) => ({ model, query: 'q', documents: ['a'] }),
  '/v2/rerank': (model) => ({ model, query: 'q', documents: ['a'] }),
};

function formFor({ path }: OperationDoor, model: string): FormData {
  const form = new FormData();
  if (path === '/v1/files') form.set('purpose', 'user_data');
  else form.set('model', model);
  form.set(path.startsWith('/v1/images') ? 'image' : 'file', new Blob(['x']), 'a.bin');
  return form;
}

async function ask(kind: ProviderKind, door: OperationDoor): Promise<Response> {
  const model = `${kind.name}/${modelFor(kind, door)}`;
  const body = BODIES[door.path]?.(model);
  const path = door.path.replace('MODEL', model);
  if (body) return world.gateway.post(path, body);
  const query = door.path === '/v1/files' ? `?provider=${kind.name}` : '';
  const headers = { authorization: `Bearer ${TEST_KEY}` };
  return fetch(`${world.gateway.url}${path}${query}`, {
    method: 'POST',
    headers,
    body: formFor(door, model),
  });
}

/** Who answers: the provider, the gateway itself, or nobody. */
function seen(outcome: OperationOutcome): 'provider' | 'gateway' | 'nobody' {
  if (outcome === 'not had') return 'nobody';
  return outcome === 'here' ? 'gateway' : 'provider';
}

for (const door of OPERATION_DOORS) {
  // A batch is made of a file, where that is: it has no provider of its own to be asked for.
  if (door.path === '/v1/batches') continue;
  test(`${door.title}: each provider has it, or has not, as the page on compatibility says`, async () => {
    const outcomes: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const kind of PROVIDER_KINDS) {
      const requests = world.fakes.get(kind)?.requests ?? [];
      const before = requests.length;
      const response = await ask(kind, door);
      const text = await response.text();
      const reached = requests.length > before;
      outcomes[kind.name] = reached ? 'provider' : response.ok ? 'gateway' : 'nobody';
      expected[kind.name] = seen(operationOutcome(kind, door));
      if (!reached && !response.ok) assert.equal(response.status, 400, `${kind.name}: ${text}`);
    }
    assert.deepEqual(outcomes, expected);
  });
}

test('a native call reaches the provider in the words of the door, a translated one in its own', async () => {
  for (const door of OPERATION_DOORS) {
    if ('place' in door) continue;
    for (const kind of PROVIDER_KINDS) {
      // Vertex counts in the words of Gemini, of which it takes some alone.
      if (
        'operation' in door &&
        door.operation === 'count' &&
        declarationOf(kind.adapter).counts !== undefined
      )
        continue;
      const outcome = operationOutcome(kind, door);
      if (outcome === 'here' || outcome === 'not had') continue;
      await (await ask(kind, door)).arrayBuffer();
      const sent = world.fakes.get(kind)?.requests.at(-1)?.body as Record<string, unknown> | undefined;
      const words: string[] = Object.keys(BODIES[door.path]?.('m') ?? {}).filter((key) => key !== 'model');
      const isInWords: boolean = words.every((word) => sent?.[word] !== undefined);
      assert.equal(isInWords, outcome === 'native', `${kind.name} ${door.path}: ${JSON.stringify(sent)}`);
    }
  }
});

test('batches are had where files are, or nowhere', () => {
  const outcomeAt = (kind: ProviderKind, path: string) => {
    const door = OPERATION_DOORS.find((one) => one.path === path);
    return door && operationOutcome(kind, door);
  };
  for (const kind of PROVIDER_KINDS) {
    if (outcomeAt(kind, '/v1/batches') === 'native')
      assert.equal(outcomeAt(kind, '/v1/files'), 'native', kind.name);
  }
});
