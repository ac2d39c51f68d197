import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isObject } from '../../src/conversation/json.ts';
import { PROVIDER_KINDS } from '../sdk/matrix/providers.ts';
import { startGateway } from '../support/gateway.ts';
import { KIN } from '../support/openai/kin.ts';

/** Which of OpenAI's kin document `top_k`; to all others it is not sent, and callers are told. */
const TAKES = new Set([
  ...['alibaba', 'fireworks', 'lmstudio', 'nvidia', 'openrouter', 'perplexity', 'together', 'vllm'],
]);

const kinds = PROVIDER_KINDS.filter(({ name }) => name in KIN);
const started = await Promise.all(kinds.map(async (kind) => ({ ...kind, fake: await kind.start() })));
const gateway = await startGateway({
  providers: Object.fromEntries(
    started.map(({ name, fake: { url, apiKey } }) => [
      name,
      { baseUrl: url, accounts: [{ name: 'a', apiKey }] },
    ]),
  ),
});
after(() => Promise.all([gateway.stop(), ...started.map(({ fake }) => fake.close())]));

for (const { name, model, fake } of started) {
  const takes = TAKES.has(name);
  test(`top_k ${takes ? 'goes to' : 'is kept from'} ${name}, whatever its caller speaks`, async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const asked = { model: `${name}/${model}`, max_tokens: 100, messages, top_k: 40 };
    for (const path of ['/v1/messages', '/v1/chat/completions']) {
      const answer = await gateway.post(path, asked);
      assert.equal(answer.status, 200, await answer.text());
      const sent = fake.requests.at(-1)?.body;
      assert.ok(isObject(sent));
      assert.equal(sent['top_k'], takes ? 40 : undefined, path);
      assert.equal(answer.headers.get('x-fairlead-dropped'), takes ? null : 'top_k', path);
    }
  });
}
