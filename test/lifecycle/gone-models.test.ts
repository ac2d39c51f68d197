import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const PAST = '2020-01-31';

interface Refusal {
  status: number;
  body: unknown;
}

/** What providers say of models that they have taken away or never had: recorded, or as their users quote it. */
const GONE: { who: string; adapter: string; refusal: Refusal; code: string }[] = [
  {
    who: 'OpenAI of a retired model',
    adapter: 'openai',
    refusal: {
      status: 404,
      body: {
        error: {
          message:
            'The model `text-davinci-003` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations',
          ...{ type: 'invalid_request_error', param: null, code: 'model_not_found' },
        },
      },
    },
    code: 'upstream_model_retired',
  },
  {
    who: 'Anthropic',
    adapter: 'anthropic',
    refusal: {
      status: 404,
      body: { type: 'error', error: { type: 'not_found_error', message: 'model: claude-3-opus-20240229' } },
    },
    code: 'upstream_model_missing',
  },
  {
    who: 'Google of a model that it never had',
    adapter: 'gemini',
    refusal: googleError(
      404,
      'NOT_FOUND',
      'models/gemini-pro is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.',
    ),
    code: 'upstream_model_missing',
  },
  {
    who: 'Google of one that it has taken away',
    adapter: 'gemini',
    refusal: googleError(
      404,
      'NOT_FOUND',
      'This model models/gemini-2.5-flash is no longer available to new users. Please update your code to use a newer model for the latest features and improvements.',
    ),
    code: 'upstream_model_retired',
  },
  {
    who: 'Mistral',
    adapter: 'mistral',
    refusal: {
      status: 400,
      body: { object: 'error', message: 'Invalid model: mistral-tiny', type: 'invalid_model', code: '1500' },
    },
    code: 'upstream_model_missing',
  },
  {
    who: 'DeepSeek',
    adapter: 'deepseek',
    refusal: {
      status: 400,
      body: { error: { message: 'Model Not Exist', type: 'invalid_request_error', param: null } },
    },
    code: 'upstream_model_missing',
  },
  {
    who: 'Groq',
    adapter: 'groq',
    refusal: {
      status: 400,
      body: {
        error: {
          message: 'The model `mistral-saba-24b` has been decommissioned and is no longer supported.',
          ...{ type: 'invalid_request_error', code: 'model_decommissioned' },
        },
      },
    },
    code: 'upstream_model_retired',
  },
  {
    who: 'Z.AI',
    adapter: 'zai',
    refusal: {
      status: 400,
      body: { error: { code: '1211', message: 'Unknown Model, please check the model code.' } },
    },
    code: 'upstream_model_missing',
  },
];

const LIMIT_OF_NOTHING = googleError(
  429,
  'RESOURCE_EXHAUSTED',
  'You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-2.0-flash\nPlease retry in 44.242054491s.',
  [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '44s' }],
);

function googleError(code: number, status: string, message: string, details?: object[]): Refusal {
  return { status: code, body: { error: { code, message, status, ...(details && { details }) } } };
}

interface SetUp {
  gateway: TestGateway;
  /** What the first target answers from now on; `undefined`: well. */
  refuse(refusal: Refusal | undefined): void;
  requests(): number;
}

/** A model whose first target is refused, and whose second, where there is one, answers. */
async function setUp(adapter: string, target: object, withOther = true): Promise<SetUp> {
  let refused: Refusal | undefined;
  const answerWell = (response: ServerResponse) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hello'));
  };
  const first = await startRawUpstream((response) => {
    if (!refused) answerWell(response);
    else {
      response.writeHead(refused.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(refused.body));
    }
  });
  const other = await startRawUpstream(answerWell);
  const baseUrl =
    adapter === 'gemini' || adapter === 'anthropic' ? new URL(first.baseUrl).origin : first.baseUrl;
  const gateway = await startGateway({
    providers: {
      first: { adapter, baseUrl, accounts: [{ name: 'main', apiKey: 'sk-upstream-0123456789abcdef' }] },
      other: { adapter: 'openai-compatible', baseUrl: other.baseUrl },
    },
    models: { m: { targets: [{ target: 'first/old', ...target }, ...(withOther ? ['other/x'] : [])] } },
  });
  after(async () => {
    await gateway.stop();
    await Promise.all([first.close(), other.close()]);
  });
  return {
    gateway,
    refuse: (refusal) => {
      refused = refusal;
    },
    requests: () => first.requests.length,
  };
}

const ask = (model = 'm') => ({ model, messages: [{ role: 'user', content: 'Hi' }] });

async function eventsOf({ url }: TestGateway, kind: string) {
  const { body } = await adminClient(url).must('GET', '/events?limit=100');
  const events = body['data'] as { kind: string; message: string; details: Record<string, unknown> }[];
  return events.filter((event) => event.kind === kind);
}

for (const { who, adapter, refusal, code } of GONE) {
  test(`a model that is gone is passed over at once, and told of once: ${who}`, async () => {
    const { gateway, refuse } = await setUp(adapter, {});
    refuse(refusal);
    for (let call = 0; call < 3; call++) {
      const response = await gateway.post('/v1/chat/completions', ask());
      assert.equal(response.status, 200, await response.text());
      assert.equal(response.headers.get('x-fairlead-target'), 'other/x');
    }
    const [record] = (await gateway.calls(3)).slice(-1);
    assert.deepEqual(
      record?.attempts.map(({ outcome, reason }) => [outcome, reason]),
      [
        ['upstream_unavailable', code],
        ['ok', undefined],
      ],
    );
    const events = await eventsOf(gateway, 'model_gone');
    assert.deepEqual(
      events.map(({ details }) => [details['target'], details['retired']]),
      [['first/old', code === 'upstream_model_retired']],
    );
  });
}

test('a limit of nothing at a model whose day has come is the model being gone: it is not waited for', async () => {
  const { gateway, refuse } = await setUp('gemini', { retires: PAST, successor: 'first/new' });
  refuse(LIMIT_OF_NOTHING);
  const begun = performance.now();
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.headers.get('x-fairlead-target'), 'other/x');
  assert.ok(performance.now() - begun < 10_000);
  const [record] = await gateway.calls();
  assert.equal(record?.attempts[0]?.reason, 'upstream_model_retired');
  const [event] = await eventsOf(gateway, 'model_gone');
  assert.deepEqual(event?.details, {
    ...{ target: 'first/old', retired: true, successor: 'first/new', retiresOn: PAST },
  });
  assert.deepEqual(await eventsOf(gateway, 'cooling_began'), []);
});

test('a limit of nothing at a model that is not known to be gone is about our account', async () => {
  const { gateway, refuse } = await setUp('gemini', { retires: 'never' });
  refuse(LIMIT_OF_NOTHING);
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.headers.get('x-fairlead-target'), 'other/x');
  const [record] = await gateway.calls();
  assert.equal(record?.attempts[0]?.reason, 'upstream_permission_denied');
  assert.deepEqual(await eventsOf(gateway, 'model_gone'), []);
});

test('an ordinary limit stays one', async () => {
  const { gateway, refuse } = await setUp('gemini', { retires: PAST }, false);
  const said = LIMIT_OF_NOTHING.body as { error: { message: string } };
  refuse({
    status: 429,
    body: { error: { ...said.error, message: said.error.message.replace('limit: 0', 'limit: 10') } },
  });
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 429);
  assert.deepEqual(await eventsOf(gateway, 'model_gone'), []);
});

test('where nothing else can answer the caller is told what became of the model, and where it went', async () => {
  const { gateway, refuse } = await setUp('gemini', { retires: PAST, successor: 'first/new' }, false);
  refuse(LIMIT_OF_NOTHING);
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 502);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, 'upstream_model_retired');
  assert.match(
    error.message,
    /its target 'first\/old' is retired since 2020-01-31; its successor is 'first\/new'\.$/,
  );
  assert.equal(response.headers.get('retry-after'), null);
});

test('a model that its provider takes away before its day is not told to be retired since a day to come', async () => {
  const { gateway, refuse } = await setUp('openai', { retires: '2199-01-31', successor: 'first/new' }, false);
  const message = 'The model `old` has been deprecated, learn more here.';
  refuse({
    status: 404,
    body: { error: { message, type: 'invalid_request_error', param: null, code: 'model_not_found' } },
  });
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 502);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, 'upstream_model_retired');
  assert.match(error.message, /its target 'first\/old' is retired; its successor is 'first\/new'\.$/);
});

test('who names a model at its provider is told of its retirement, also where that hides behind a limit', async () => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(LIMIT_OF_NOTHING.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(LIMIT_OF_NOTHING.body));
  });
  const gateway = await startGateway({
    providers: {
      gemini: {
        baseUrl: new URL(upstream.baseUrl).origin,
        accounts: [{ name: 'main', apiKey: 'sk-upstream-0123456789abcdef' }],
      },
    },
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const client = new GoogleGenAI({ apiKey: TEST_KEY, httpOptions: { baseUrl: gateway.url } });
  await assert.rejects(
    client.models.generateContent({ model: 'gemini/gemini-2.0-flash', contents: 'Hi' }),
    (error: Error & { status?: number }) => {
      assert.equal(error.status, 404);
      assert.match(error.message, /was retired by its provider on 2026-06-01/);
      return true;
    },
  );
});

test('a target that answers again is told of, and may be gone a second time', async () => {
  const { gateway, refuse, requests } = await setUp('openai-compatible', {}, false);
  const gone = {
    status: 404,
    body: { error: { message: 'The model `old` does not exist.', code: 'model_not_found' } },
  };
  refuse(gone);
  assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 502);
  refuse(undefined);
  assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 200);
  assert.equal((await eventsOf(gateway, 'model_back')).length, 1);
  refuse(gone);
  assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 502);
  assert.equal((await eventsOf(gateway, 'model_gone')).length, 2);
  assert.equal(requests(), 3);
});
