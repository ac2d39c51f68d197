import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway } from '../support/gateway.ts';
import { EMBEDS, KIN, type KinName } from '../support/openai/kin.ts';

/** OpenAI's kin, each with a fake that has embeddings or has not. */
const started = await Promise.all(
  (Object.keys(KIN) as KinName[]).map(async (kin) => ({ kin, fake: await startFakeOpenAi({ kin }) })),
);
const gateway = await startGateway({
  providers: Object.fromEntries(
    started.map(({ kin, fake: { url, apiKey } }) => [
      kin,
      { baseUrl: url, accounts: [{ name: 'a', apiKey }] },
    ]),
  ),
});
after(() => Promise.all([gateway.stop(), ...started.map(({ fake }) => fake.close())]));

for (const { kin, fake } of started) {
  const model = `${kin}/text-embedding-3-small`;
  const ask = (): Promise<Response> => gateway.post('/v1/embeddings', { model, input: 'Hi' });

  if (EMBEDS.has(kin)) {
    test(`${kin} embeds`, async () => {
      const answer = await ask();
      assert.equal(answer.status, 200, await answer.text());
    });
    continue;
  }
  test(`${kin} has no embeddings: the caller is told so, and it is not asked`, async () => {
    const answer = await ask();
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    assert.deepEqual([answer.status, error.code], [400, 'unsupported_operation']);
    assert.match(error.message, /has no embeddings/);
    assert.equal(fake.requests.length, 0);
  });
}
