import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import { startFakeOpenAi } from '../../support/fake-openai.ts';
import { startGateway } from '../../support/gateway.ts';

const KEYS = { acme: 'sk-fl-key-of-acme-000000000000000', beta: 'sk-fl-key-of-beta-000000000000000' };
const SECOND_KEY = 'sk-fl-other-key-of-acme-0000000000';

const accounts = await Promise.all(
  ['first', 'second'].map((apiKey) => startFakeOpenAi({ apiKey: `sk-${apiKey}` })),
);
const gateway = await startGateway({
  providers: {
    // Two of a kind: what one of them keeps the other does not know.
    near: {
      adapter: 'openai',
      baseUrl: accounts[0]?.url,
      accounts: [{ name: 'a', apiKey: accounts[0]?.apiKey }],
    },
    far: {
      adapter: 'openai',
      baseUrl: accounts[1]?.url,
      accounts: [
        { name: 'empty', apiKey: 'sk-nobody', weight: 1e9 },
        { name: 'b', apiKey: accounts[1]?.apiKey },
      ],
    },
  },
  models: { both: { targets: ['near/gpt-4.1', 'far/gpt-4.1'] } },
  tenants: {
    acme: {
      models: ['*'],
      keys: [
        { name: 'app', secret: KEYS.acme },
        { name: 'batch', secret: SECOND_KEY },
      ],
    },
    beta: { models: ['*'], keys: [{ name: 'app', secret: KEYS.beta }] },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all(accounts.map((fake) => fake.close()));
});

const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
const acme = clientOf(KEYS.acme);
const beta = clientOf(KEYS.beta);

/** All that can be done with another's id, and what is said of it. */
const ATTEMPTS: [what: string, attempt: (client: OpenAI, id: string, model: string) => Promise<unknown>][] = [
  ['retrieve', (client, id) => client.responses.retrieve(id)],
  ['stream again', (client, id) => client.responses.retrieve(id, { stream: true })],
  ['delete', (client, id) => client.responses.delete(id)],
  ['list', (client, id) => client.responses.inputItems.list(id)],
  ['cancel', (client, id) => client.responses.cancel(id)],
];

for (const model of ['echo/echo', 'near/gpt-4.1', 'far/gpt-4.1', 'both']) {
  test(`a tenant cannot use what another has (${model})`, async () => {
    const { id } = await acme.responses.create({ model, input: 'a secret' });
    for (const [what, attempt] of ATTEMPTS) {
      const of = async (name: string) => {
        const thrown: unknown = await attempt(beta, name, model).then(
          () => undefined,
          (error: unknown) => error,
        );
        assert.ok(thrown instanceof NotFoundError, `${what}: ${String(thrown)}`);
        return thrown.message.replace(name, 'ID');
      };
      assert.equal(await of(id), await of('resp_of_nobody'), 'it is as if it did not exist');
    }
    for (const name of [id, 'resp_of_nobody']) {
      const stolen = beta.responses.create({ model, input: 'tell me', previous_response_id: name });
      await assert.rejects(stolen, (error) => {
        assert.ok(error instanceof BadRequestError, String(error));
        assert.equal(error.code, 'previous_response_not_found');
        return true;
      });
    }
    const [item] = (await acme.responses.retrieve(id)).output;
    if (model === 'echo/echo') {
      const input = [{ type: 'item_reference' as const, id: item?.id ?? '' }];
      await assert.rejects(beta.responses.create({ model, input }), BadRequestError);
    }
    const { output_text: text } = await clientOf(SECOND_KEY).responses.retrieve(id);
    assert.match(text, /a secret/);
    const next = await acme.responses.create({ model, input: 'and on', previous_response_id: id });
    assert.match(next.output_text, /and on/);
  });
}

test('what goes on goes to the account that has it, also where another would be tried first', async () => {
  accounts[0]?.setBehaviour('fail 500', 1);
  const { id } = await acme.responses.create({ model: 'both', input: 'Hi' });
  const before = accounts[0]?.requests.length;
  const next = await acme.responses.create({ model: 'both', input: 'on', previous_response_id: id });
  assert.equal(next.output_text, 'Echo: on');
  assert.equal(accounts[0]?.requests.length, before, 'nobody else was asked');
  assert.equal(accounts[1]?.requests.at(-1)?.headers['authorization'], 'Bearer sk-second');
  assert.equal((await acme.responses.retrieve(next.id)).output_text, 'Echo: on');
  await acme.responses.delete(next.id);
  await assert.rejects(acme.responses.retrieve(next.id), NotFoundError);
});

test('a provider that fails while it is asked is a 502, and refuses in its own words', async () => {
  const { id } = await acme.responses.create({ model: 'near/gpt-4.1', input: 'Hi' });
  const page = acme.responses.inputItems.list(id, { limit: 7 });
  assert.equal((await page).data.length, 1);
  assert.match(accounts[0]?.requests.at(-1)?.path ?? '', /input_items\?limit=7$/);
  await accounts[0]?.close();
  await assert.rejects(acme.responses.retrieve(id), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError, String(error));
    assert.equal(error.status, 502);
    return true;
  });
});
