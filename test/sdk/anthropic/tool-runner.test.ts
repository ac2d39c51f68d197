import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { TEST_KEY } from '../../support/gateway.ts';
import { PROVIDER_KINDS } from '../matrix/providers.ts';
import { startMatrixWorld } from '../matrix/world.ts';

/*
 * What Anthropic's SDK does by itself: it runs a client's tools until there is an answer, and asks for a message thread for that. Only
 * Anthropic holds those; everywhere else the SDK has to be told so that it sends the whole conversation.
 */

const KINDS = PROVIDER_KINDS.filter(
  ({ name, isAlike }) => isAlike !== true || name === 'openai-responses' || name === 'mistral',
);
const world = await startMatrixWorld(KINDS);
after(() => world.close());
const client = new Anthropic({ baseURL: world.gateway.url, apiKey: TEST_KEY, maxRetries: 0 }).beta.messages;

/** Two calls at once, then one with what these gave. */
const TASK = 'call weather {"city":"Rome"}\ncall weather {"city":"Bonn"}\nthen call weather {"city":"Köln"}';

function runnable() {
  const asked: string[] = [];
  const weather = betaTool({
    name: 'weather',
    description: 'Tells the weather of a city.',
    inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    run: ({ city }) => {
      asked.push(city);
      return `sunny in ${city}`;
    },
  });
  const params = {
    max_tokens: 2000,
    system: 'Be short.',
    messages: [{ role: 'user' as const, content: TASK }],
    tools: [weather],
  };
  return { asked, params };
}

for (const kind of KINDS) {
  const model = `${kind.name}/${kind.model}`;
  const fake = world.fakes.get(kind) ?? assert.fail(`no fake of ${kind.name}`);
  const holdsThreads = kind.name === 'anthropic';

  describe(kind.name, { concurrency: 1 }, () => {
    test('the tool runner runs tools to the end', async () => {
      const { asked, params } = runnable();
      const before = fake.requests.length;
      const { content, stop_reason: reason } = await client.toolRunner({ model, ...params });
      assert.deepEqual(asked, ['Rome', 'Bonn', 'Köln']);
      assert.equal(reason, 'end_turn');
      assert.match(JSON.stringify(content), /sunny in Köln/);
      const sent = fake.requests.slice(before);
      assert.deepEqual(
        sent.map(({ status }) => status),
        [200, 200, 200],
      );
      // A thread is gone on with where there are any; elsewhere all of it is sent.
      assert.equal(sent.at(-1)?.rawBody.includes('call weather'), !holdsThreads);
    });

    test('the same streamed', async () => {
      const { asked, params } = runnable();
      const said: unknown[] = [];
      for await (const stream of client.toolRunner({ model, ...params, stream: true })) {
        said.push((await stream.finalMessage()).content);
      }
      assert.deepEqual(asked, ['Rome', 'Bonn', 'Köln']);
      assert.match(JSON.stringify(said.at(-1)), /sunny in Köln/);
    });

    test('a thread goes on, by the whole conversation where its client lets it', async () => {
      const thread = client.thread({
        ...{ model, max_tokens: 200, system: 'Be short.' },
        unsupportedRequestBehavior: 'continue_unthreaded',
      });
      await thread.send({ role: 'user', content: 'my name is Bob' });
      await thread.send({ role: 'user', content: 'what is my name?' });
      assert.equal(fake.requests.at(-1)?.rawBody.includes('my name is Bob'), !holdsThreads);
    });

    if (holdsThreads) return;

    test('a thread is refused by the code that its client knows, and never answered without what it holds', async () => {
      const before = fake.requests.length;
      await assert.rejects(client.thread({ model, max_tokens: 200 }).send({ role: 'user', content: 'x' }), {
        status: 400,
        errorCode: 'thread_unsupported_request',
      });
      const goOn = { type: 'continue', previous_message_id: 'msg_x' } as const;
      for (const messages of [[{ role: 'user' as const, content: 'x' }], []]) {
        await assert.rejects(client.create({ model, max_tokens: 200, messages, thread: goOn }), {
          status: 404,
          errorCode: 'thread_not_found',
        });
      }
      assert.equal(fake.requests.length, before, 'the provider was asked');
    });

    test('a thread that is not asked for is none', async () => {
      const messages = [{ role: 'user' as const, content: 'say ok' }];
      const { response } = await client
        .create({ model, max_tokens: 200, messages, thread: null })
        .withResponse();
      assert.equal(response.headers.get('x-fairlead-dropped'), null);
    });
  });
}
