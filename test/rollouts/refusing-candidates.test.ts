import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI from 'openai';
import { adminClient } from '../support/admin.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** What the new model answers instead of an answer; the old one takes everything but what says 'bad'. */
let refusal: { status: number; error: object };
const upstream = await startRawUpstream((response, text) => {
  const { model, stream } = JSON.parse(text) as { model: string; stream?: boolean };
  const isBad = text.includes('"bad"');
  if (model === 'new' || isBad) {
    const { status, error } =
      model === 'new' ? refusal : { status: 400, error: { message: 'the old one says no' } };
    response.setHeader('content-type', 'application/json');
    response.writeHead(status).end(JSON.stringify({ error }));
    return;
  }
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (stream) response.end(`${chatChunk('of old')}${chatChunk('', 'stop')}data: [DONE]\n\n`);
  else response.end(chatAnswer(`of ${model}`));
});
after(upstream.close);

async function start(model: object = {}) {
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/old'], retries: 0, ...model } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        ...{ steps: [{ weight: 50, hold: '10m' }], gates: { p50LatencyRatio: 100 } },
      },
    },
  });
  after(gateway.stop);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  return { gateway, client };
}

const REFUSALS = {
  'a parameter that it does not know': {
    status: 400,
    error: { message: "Unsupported parameter: 'max_tokens'", code: 'unsupported_parameter' },
  },
  'a content policy of its own': {
    status: 400,
    error: { message: 'It violates our usage policies', code: 'content_policy_violation' },
  },
  'a body that is too large for it': { status: 413, error: { message: 'too large' } },
  'what it cannot process': { status: 422, error: { message: 'no' } },
};

for (const [name, one] of Object.entries(REFUSALS)) {
  for (const stream of [false, true]) {
    test(`a candidate that refuses for ${name} costs its users no answer, and is rolled back (${stream ? 'streamed' : 'whole'})`, async () => {
      refusal = one;
      const { gateway, client } = await start();
      const sides = new Set<string | null>();
      for (let user = 0; user < 400; user++) {
        const messages = [{ role: 'user' as const, content: 'Hi' }];
        const asked = client.chat.completions.create({ model: 'smart', user: `u${user}`, messages, stream });
        const { data, response } = await asked.withResponse();
        const side = response.headers.get('x-fairlead-rollout');
        sides.add(side);
        let said = '';
        if (data instanceof ReadableStream || Symbol.asyncIterator in data) {
          for await (const { choices } of data as AsyncIterable<OpenAI.ChatCompletionChunk>)
            said += choices[0]?.delta.content ?? '';
        } else said = (data as OpenAI.ChatCompletion).choices[0]?.message.content ?? '';
        assert.equal(said, 'of old');
        if (side === null) break;
      }
      assert.deepEqual(sides, new Set(['upgrade=stable', 'upgrade=candidate', null]));
      const { body } = await adminClient(gateway.url).must('GET', '/rollouts');
      const [rollout] = body['data'] as { reason?: { failure?: { what: string } } }[];
      assert.equal(rollout?.reason?.failure?.what, 'errors');
    });
  }
}

test('what the stable refuses, too, is refused in its words', async () => {
  refusal = { status: 400, error: { message: 'the new one says no' } };
  const { client } = await start();
  const heard = new Set<string>();
  for (let user = 0; user < 20; user++) {
    const messages = [{ role: 'user' as const, content: 'bad' }];
    await client.chat.completions
      .create({ model: 'smart', user: `u${user}`, messages })
      .catch((error: Error) => heard.add(error.message));
  }
  assert.deepEqual(heard, new Set(['400 the old one says no']));
});

test('a call that cannot be said in the candidate’s dialect stays with the model, and is on no side', async () => {
  const anthropic = await startFakeAnthropic();
  after(() => anthropic.close());
  const gateway = await startGateway({
    providers: {
      up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl },
      claude: {
        adapter: 'anthropic',
        baseUrl: anthropic.url,
        accounts: [{ name: 'main', apiKey: anthropic.apiKey }],
      },
    },
    models: { smart: { targets: ['up/old'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'claude/claude-haiku-4-5' },
        steps: [{ weight: 100, hold: '10m' }],
      },
    },
  });
  after(gateway.stop);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  const ask = async (fields: object) => {
    const messages = [{ role: 'user', content: 'say hi' }];
    const answer = await gateway.post('/v1/chat/completions', { model: 'smart', messages, ...fields });
    assert.equal(answer.status, 200, await answer.text());
    return answer.headers.get('x-fairlead-rollout');
  };
  assert.equal(await ask({}), 'upgrade=candidate');
  assert.equal(await ask({ n: 2 }), null);
  const [inexpressible] = await gateway.calls(2);
  assert.equal(inexpressible?.rollout, undefined);
});

test('a call with stop sequences is one of its side, and is answered as before by a candidate that takes none, also when that is promoted', async () => {
  const openai = await startFakeOpenAi();
  after(() => openai.close());
  const gateway = await startGateway({
    providers: { openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] } },
    models: { smart: { targets: ['openai/gpt-4.1-mini'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'openai/gpt-4.1-mini', candidate: 'openai/gpt-5-mini' },
        steps: [{ weight: 100, hold: '10m' }],
      },
    },
  });
  after(gateway.stop);
  const admin = adminClient(gateway.url);
  const asked: [path: string, fields: object][] = [
    ['/v1/chat/completions', { stop: null }],
    ['/v1/chat/completions', { stop: 'END' }],
    ['/v1/chat/completions', { stop: ['END', 'x'], stream: true }],
    ['/v1/messages', { max_tokens: 100, stop_sequences: ['END'] }],
    ['/v1/completions', { prompt: 'one END two', stop: ['END'] }],
  ];
  const texts = async (side: string | null) => {
    const said: string[] = [];
    for (const [path, fields] of asked) {
      const messages = [{ role: 'user', content: 'one END two' }];
      const prompt = 'prompt' in fields ? {} : { messages };
      const answer = await gateway.post(path, { model: 'smart', ...prompt, ...fields });
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      assert.equal(answer.headers.get('x-fairlead-rollout'), side, `${path} ${JSON.stringify(fields)}`);
      said.push([...text.matchAll(/"(?:content|text)":"([^"]*)"/g)].map(([, piece]) => piece).join(''));
    }
    return said;
  };
  const before = await texts(null);
  assert.deepEqual(before, ['Echo: one END two', ...Array<string>(4).fill('Echo: one ')]);
  await admin.must('POST', '/rollouts/upgrade/start');
  assert.deepEqual(await texts('upgrade=candidate'), before);
  assert.equal((await admin.must('POST', '/rollouts/upgrade/promote')).body['phase'], 'promoted');
  assert.deepEqual(await texts('upgrade=candidate'), before);
  for (const { attempts } of await gateway.calls(3 * asked.length))
    assert.deepEqual(
      attempts.map(({ outcome }) => outcome),
      ['ok'],
    );
});
