import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, { AuthenticationError, NotFoundError, PermissionDeniedError } from 'openai';
import { startGateway } from '../../support/gateway.ts';

const KEYS = { free: 'sk-fl-key-of-free-0000000000000000', bound: 'sk-fl-key-of-bound-000000000000000' };

const gateway = await startGateway({
  models: { smart: { targets: ['echo/echo'] }, secret: { targets: ['echo/echo'] } },
  tenants: {
    free: { models: ['*'], keys: [{ name: 'app', secret: KEYS.free }] },
    bound: { models: ['smart'], keys: [{ name: 'app', secret: KEYS.bound }] },
  },
});
after(() => gateway.stop());

function clientWith(apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
}
const free = clientWith(KEYS.free);
const bound = clientWith(KEYS.bound);
const messages = [{ role: 'user' as const, content: 'Hi' }];

test('a key that nobody has is an AuthenticationError, at every door', async () => {
  const stranger = clientWith('sk-fl-key-of-nobody');
  for (const ask of [
    () => stranger.chat.completions.create({ model: 'smart', messages }),
    () => stranger.chat.completions.create({ model: 'smart', messages, stream: true }),
    () => stranger.embeddings.create({ model: 'smart', input: 'Hi' }),
    () => stranger.models.list(),
    () => stranger.models.retrieve('smart'),
  ]) {
    await assert.rejects(ask(), (error) => {
      assert.ok(error instanceof AuthenticationError, String(error));
      assert.equal(error.code, 'invalid_api_key');
      return true;
    });
  }
});

test('a model that the key may not call is a PermissionDeniedError, whether it exists or not', async () => {
  for (const model of ['secret', 'echo/echo', 'no-such-model']) {
    for (const stream of [false, true]) {
      await assert.rejects(bound.chat.completions.create({ model, messages, stream }), (error) => {
        assert.ok(error instanceof PermissionDeniedError, String(error));
        assert.equal(error.param, 'model');
        return true;
      });
    }
  }
});

test('a model that does not exist is a NotFoundError', async () => {
  for (const model of ['no-such-model', 'nobody/x']) {
    await assert.rejects(free.chat.completions.create({ model, messages }), (error) => {
      assert.ok(error instanceof NotFoundError, String(error));
      assert.equal(error.code, 'model_not_found');
      return true;
    });
  }
});

test('the list of models holds what the key may call', async () => {
  const names = async (client: OpenAI) => {
    const listed: string[] = [];
    for await (const { id, object } of client.models.list()) {
      assert.equal(object, 'model');
      listed.push(id);
    }
    return listed.sort();
  };
  assert.deepEqual(await names(bound), ['smart']);
  assert.deepEqual(await names(free), ['echo/echo', 'secret', 'smart']);
});

test('a model is found by its name, also one with a slash', async () => {
  for (const name of ['smart', 'echo/echo']) {
    const model = await free.models.retrieve(name);
    assert.deepEqual([model.id, model.object, model.owned_by], [name, 'model', 'fairlead']);
    assert.ok(Number.isInteger(model.created));
  }
  await assert.rejects(bound.models.retrieve('secret'), NotFoundError);
  await assert.rejects(free.models.retrieve('no-such-model'), NotFoundError);
});
