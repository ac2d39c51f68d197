import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const UPSTREAM_KEY = 'sk-upstream-secret-0123456789';

type Answer = (response: ServerResponse) => unknown;

/** A gateway whose model `m` has these upstreams as targets, in order. */
async function setUp(...answers: Answer[]) {
  const upstreams = await Promise.all(answers.map((answer) => startRawUpstream(answer)));
  const providers = Object.fromEntries(
    upstreams.map(({ baseUrl }, index) => [
      `up${index}`,
      { adapter: 'openai-compatible', baseUrl, accounts: [{ name: 'main', apiKey: UPSTREAM_KEY }] },
    ]),
  );
  const targets = upstreams.map((_, index) => `up${index}/x`);
  const gateway = await startGateway({ providers, models: { m: { targets } } });
  closing.push(...upstreams.map(({ close }) => close), gateway.stop);
  return { upstreams, gateway };
}

const ask = (stream = false) => ({ model: 'm', stream, messages: [{ role: 'user', content: 'Hi' }] });

function refuse(status: number, error: object, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error }));
  };
}

const answerWell: Answer = (response) => {
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer('Hello'));
};

interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string | null };
}

const MEANINGS: { status: number; error: object; becomes: number; kind: string }[] = [
  {
    status: 400,
    error: { message: 'bad', param: 'tools[0]', code: 'odd' },
    becomes: 400,
    kind: 'upstream_rejected',
  },
  {
    status: 404,
    error: { message: 'no such model', code: 'model_not_found' },
    becomes: 502,
    kind: 'upstream_unavailable',
  },
  { status: 413, error: { message: 'too long' }, becomes: 413, kind: 'upstream_rejected' },
  { status: 422, error: { message: 'unprocessable' }, becomes: 422, kind: 'upstream_rejected' },
  { status: 401, error: { message: 'bad key' }, becomes: 502, kind: 'upstream_unavailable' },
  { status: 402, error: { message: 'no credit' }, becomes: 502, kind: 'upstream_unavailable' },
  { status: 403, error: { message: 'flagged' }, becomes: 403, kind: 'upstream_rejected' },
  { status: 429, error: { message: 'slow down' }, becomes: 429, kind: 'upstream_rate_limited' },
  { status: 500, error: { message: 'oops' }, becomes: 502, kind: 'upstream_unavailable' },
  { status: 503, error: { message: 'full' }, becomes: 502, kind: 'upstream_unavailable' },
  { status: 504, error: { message: 'late' }, becomes: 504, kind: 'upstream_timeout' },
  { status: 529, error: { message: 'overloaded' }, becomes: 502, kind: 'upstream_unavailable' },
  { status: 302, error: {}, becomes: 502, kind: 'upstream_unavailable' },
];

/** What stands in a provider's place, as a proxy or a site that is no API says it. */
function page(status: number, type = 'text/html; charset=utf-8'): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': type });
    response.end('\n<!DOCTYPE html>\n<html><head><title>Gateway</title></head></html>');
  };
}

const [HTML, TEXT] = ['text/html; charset=utf-8', 'text/plain'];
/** Of which type it is, and by which name the model is called. */
const PAGES = scale({
  sample: [
    [HTML, 'm'],
    [TEXT, 'up0/x'],
  ],
  heavy: [HTML, TEXT].flatMap((type) => ['m', 'up0/x'].map((model) => [type, model])),
});

for (const [status, becomes, kind] of [
  [400, 502, 'upstream_unavailable'],
  [403, 502, 'upstream_unavailable'],
  [404, 502, 'upstream_unavailable'],
  [405, 502, 'upstream_unavailable'],
  [413, 413, 'upstream_rejected'],
  [429, 429, 'upstream_rate_limited'],
  [502, 502, 'upstream_unavailable'],
] as const) {
  for (const [type, model] of PAGES) {
    test(`a web page with ${status} (${type}) is a ${becomes} to who calls ${model}: it is no API's word on the call`, async () => {
      const { gateway } = await setUp(page(status, type));
      const response = await gateway.post('/v1/chat/completions', { ...ask(), model });
      assert.equal(response.status, becomes);
      const { error } = (await response.json()) as OpenAiError;
      if (kind === 'upstream_unavailable') assert.match(error.message, /provider 'up0' answered/);
      if (becomes !== status) assert.match(error.message, /baseUrl may be wrong/);
      assert.equal((await gateway.calls())[0]?.outcome, kind);
      const isTold = new RegExp(`"level":[45]0[^\\n]*"kind":"${kind}"`).test(gateway.logs());
      assert.equal(isTold, kind !== 'upstream_rejected', gateway.logs());
    });
  }
}

for (const { status, error, becomes, kind } of MEANINGS) {
  test(`a provider's ${status} is a ${becomes} (${kind}) to the client`, async () => {
    const { gateway } = await setUp(refuse(status, error));
    const response = await gateway.post('/v1/chat/completions', ask());
    assert.equal(response.status, becomes);
    const [record] = await gateway.calls();
    assert.equal(record?.outcome, kind);
    assert.equal(record?.attempts[0]?.status, status);
    assert.equal(record?.usage, null);
  });
}

test('what a provider rejects is told in its own words, with parameter and code', async () => {
  const { gateway } = await setUp(
    refuse(400, { message: 'tools[0] is bad', param: 'tools[0]', code: 'odd' }),
  );
  const { error } = (await (await gateway.post('/v1/chat/completions', ask())).json()) as OpenAiError;
  assert.deepEqual(error, {
    message: 'tools[0] is bad',
    type: 'invalid_request_error',
    param: 'tools[0]',
    code: 'odd',
  });
});

test('a rejected credential of ours is a 502 without a word of it, and an alarm', async () => {
  const { gateway } = await setUp(refuse(401, { message: `Incorrect API key provided: ${UPSTREAM_KEY}` }));
  const response = await gateway.post('/v1/chat/completions', ask());
  const { error } = (await response.json()) as OpenAiError;
  assert.equal(error.code, 'upstream_credentials_rejected');
  assert.match(gateway.logs(), /"level":50[^\n]*"event":"upstream_credentials_rejected"/);
});

const ABOUT_US: { status: number; error: object; code: string; told: RegExp }[] = [
  {
    status: 402,
    error: { message: 'Insufficient credits' },
    code: 'upstream_payment_required',
    told: /Insufficient/,
  },
  {
    status: 403,
    error: { message: 'Your organisation may not use this model', type: 'permission_error' },
    code: 'upstream_permission_denied',
    told: /may not use this model/,
  },
  {
    status: 403,
    error: { message: 'Invalid API key' },
    code: 'upstream_credentials_rejected',
    told: /gateway's own credentials/,
  },
  {
    status: 400,
    error: { message: 'Bad key', code: 'invalid_api_key' },
    code: 'upstream_credentials_rejected',
    told: /gateway's own credentials/,
  },
];

for (const { status, error, code, told } of ABOUT_US) {
  test(`a ${status} about the gateway's account is an alarm of its own: ${JSON.stringify(error)}`, async () => {
    const { gateway } = await setUp(refuse(status, error), answerWell);
    assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 200);
    const direct = await gateway.post('/v1/chat/completions', { ...ask(), model: 'up0/x' });
    const answer = (await direct.json()) as OpenAiError;
    assert.equal(direct.status, 502);
    assert.equal(answer.error.code, code);
    assert.match(answer.error.message, told);
    assert.match(gateway.logs(), new RegExp(`"level":50[^\\n]*"event":"${code}"`));
  });
}

/** In each provider's own form: its real sentences, its real statuses. */
const ABOUT_THE_ACCOUNT: { adapter: string; status: number; body: object; code: string }[] = [
  {
    adapter: 'anthropic',
    status: 400,
    body: anthropicError(
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
    ),
    code: 'upstream_payment_required',
  },
  {
    adapter: 'anthropic',
    status: 400,
    body: anthropicError(
      'You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.',
    ),
    code: 'upstream_payment_required',
  },
  ...(
    [
      [429, 'contract_spend_limit_reached', 'upstream_payment_required'],
      [400, 'contract_spend_limit_reached', 'upstream_payment_required'],
      [429, 'enforced_spend_limit_reached', 'upstream_payment_required'],
      [400, 'organization_on_hold', 'upstream_account_shut'],
      [400, 'cmek_key_disabled', 'upstream_account_shut'],
      [400, 'cmek_key_network_blocked', 'upstream_account_shut'],
    ] as const
  ).map(([status, errorCode, code]) => ({
    adapter: 'anthropic',
    status,
    body: anthropicError('Not now.', { error_code: errorCode }),
    code,
  })),
  {
    adapter: 'openai',
    status: 429,
    body: openAiError('You exceeded your current quota, please check your plan.', 'insufficient_quota'),
    code: 'upstream_payment_required',
  },
  {
    adapter: 'openai',
    status: 400,
    body: openAiError('Billing hard limit has been reached', 'billing_hard_limit_reached'),
    code: 'upstream_payment_required',
  },
  {
    adapter: 'openai',
    status: 429,
    body: openAiError('Your account is not active, please check your billing details.', 'billing_not_active'),
    code: 'upstream_payment_required',
  },
  {
    adapter: 'openai',
    status: 403,
    body: openAiError('This account has been deactivated.', 'account_deactivated'),
    code: 'upstream_account_shut',
  },
  {
    adapter: 'gemini',
    status: 400,
    body: googleError(400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.'),
    code: 'upstream_account_shut',
  },
  {
    adapter: 'gemini',
    status: 429,
    body: googleError(
      429,
      'RESOURCE_EXHAUSTED',
      'Your prepayment credits are depleted. Please go to AI Studio.',
    ),
    code: 'upstream_payment_required',
  },
  {
    adapter: 'fireworks',
    status: 412,
    body: {
      error: {
        message:
          'Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.',
        param: null,
        code: 'PRECONDITION_FAILED',
        type: 'error',
      },
    },
    code: 'upstream_payment_required',
  },
  {
    adapter: 'openrouter',
    status: 403,
    body: { error: { message: 'Key limit exceeded (total limit). Manage it in the settings.', code: 403 } },
    code: 'upstream_payment_required',
  },
  {
    adapter: 'openrouter',
    status: 402,
    body: { error: { message: tooCostly(32_768, 8_246), code: 402 } },
    code: 'upstream_credit_short',
  },
  {
    adapter: 'openrouter',
    status: 402,
    body: { error: { message: 'Prompt tokens limit exceeded: 83737 > 38936', code: 402 } },
    code: 'upstream_credit_short',
  },
  {
    adapter: 'openrouter',
    status: 402,
    body: { error: { message: tooCostly(1_000, 0), code: 402 } },
    code: 'upstream_payment_required',
  },
  {
    adapter: 'openrouter',
    status: 402,
    body: { error: { message: 'Insufficient credits. Add more in the settings.', code: 402 } },
    code: 'upstream_payment_required',
  },
];

function tooCostly(asked: number, left: number) {
  return `This request requires more credits, or fewer max_tokens. You requested up to ${asked} tokens, but can only afford ${left}. To increase, add more credits`;
}

function anthropicError(message: string, details: object | null = null) {
  return { type: 'error', error: { type: 'invalid_request_error', message, details } };
}

function openAiError(message: string, code: string) {
  return { error: { message, type: code, param: null, code } };
}

function googleError(code: number, status: string, message: string) {
  return { error: { code, message, status } };
}

for (const { adapter, status, body, code } of ABOUT_THE_ACCOUNT) {
  test(`${adapter} refuses our account with a ${status}: ${JSON.stringify(body)}`, async () => {
    const upstream = await startRawUpstream((response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
    const provider = {
      adapter,
      baseUrl: upstream.baseUrl,
      accounts: [{ name: 'main', apiKey: UPSTREAM_KEY }],
    };
    const gateway = await startGateway({
      providers: { up: provider },
      models: { m: { targets: ['up/x', 'echo/echo'] } },
    });
    closing.push(upstream.close, gateway.stop);
    assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 200);
    const direct = await gateway.post('/v1/chat/completions', { ...ask(), model: 'up/x' });
    assert.equal(direct.status, 502);
    assert.equal(direct.headers.get('x-should-retry'), 'false');
    assert.equal(((await direct.json()) as OpenAiError).error.code, code);
    assert.match(gateway.logs(), new RegExp(`"level":50[^\\n]*"event":"${code}"`));
  });
}

test('the log has the id by which a provider finds a request that failed', async () => {
  for (const header of ['x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id']) {
    const { gateway } = await setUp(refuse(500, { message: 'oops' }, { [header]: 'req_of_provider' }));
    assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 502);
    assert.match(gateway.logs(), /"providerRequest":"req_of_provider"[^\n]*"a provider failed"/, header);
  }
});

test('what a caller sent and a limit of the provider stay what they are', async () => {
  const own = { message: 'messages: text content blocks must be non-empty', type: 'invalid_request_error' };
  const { gateway } = await setUp(refuse(400, own));
  assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 400);
  const limit = { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' };
  const limited = await setUp(refuse(429, limit));
  const response = await limited.gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('x-should-retry'), null);
});

const NO_MODEL: { status: number; error: object }[] = [
  { status: 404, error: { message: 'The model `x` does not exist.', code: 'model_not_found', param: null } },
  // Anthropic, Google (retired models, too), Azure, vLLM.
  { status: 404, error: { message: 'model: x', type: 'not_found_error' } },
  { status: 404, error: { message: 'Requested entity was not found.', status: 'NOT_FOUND', code: 404 } },
  { status: 404, error: { message: 'The API deployment does not exist.', code: 'DeploymentNotFound' } },
  { status: 404, error: { message: 'The model `x` does not exist.', type: 'NotFoundError', code: 404 } },
  { status: 410, error: { message: 'x has reached its end of life' } },
  // Groq, and OpenAI of a request to its Responses API.
  { status: 400, error: { message: 'x has been decommissioned', code: 'model_decommissioned' } },
  { status: 400, error: { message: 'The requested model does not exist.', code: 'model_not_found' } },
];

for (const { status, error } of NO_MODEL) {
  test(`a model that its provider does not have is failed over and an alarm: ${status} ${JSON.stringify(error)}`, async () => {
    const { gateway } = await setUp(refuse(status, error), answerWell);
    assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 200);
    const [record] = await gateway.calls();
    assert.deepEqual(
      record?.attempts.map(({ outcome }) => outcome),
      ['upstream_unavailable', 'ok'],
    );
    assert.match(
      gateway.logs(),
      /"level":50[^\n]*"target":"up0\/x"[^\n]*"event":"upstream_model_(?:missing|retired)"/,
    );
  });
}

test('where no target has its model the caller is told whom to tell', async () => {
  const { gateway } = await setUp(refuse(404, { message: 'model: x', type: 'not_found_error' }));
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 502);
  const { error } = (await response.json()) as OpenAiError;
  assert.equal(error.code, 'upstream_model_missing');
  assert.match(error.message, /'up0' answered 404: model: x\. Tell the gateway's operator/);
});

test('a model that the caller names at its provider itself is the caller’s to mend', async () => {
  const missing = { message: 'The model `x` does not exist.', code: 'model_not_found' };
  const { gateway } = await setUp(refuse(404, missing));
  const response = await gateway.post('/v1/chat/completions', { ...ask(), model: 'up0/x' });
  assert.equal(response.status, 404);
  const { error } = (await response.json()) as OpenAiError;
  assert.deepEqual([error.code, error.message], [missing.code, missing.message]);
  assert.doesNotMatch(gateway.logs(), /"level":50/);
});

test('a 404 about what the caller named stays the caller’s', async () => {
  const file = { message: 'No such file: file-1', type: 'invalid_request_error', param: 'file_id' };
  const { gateway, upstreams } = await setUp(refuse(404, file), answerWell);
  const content = [{ type: 'file', file: { file_id: 'file-1' } }];
  const response = await gateway.post('/v1/chat/completions', {
    model: 'm',
    messages: [{ role: 'user', content }],
  });
  assert.equal(response.status, 404);
  assert.equal(((await response.json()) as OpenAiError).error.message, file.message);
  assert.equal(upstreams[1]?.requests.length, 0);
  assert.doesNotMatch(gateway.logs(), /"level":50/);
});

test("a 403 about the call itself is the caller's, in the provider's words", async () => {
  const flagged = { message: 'Your input was flagged for "violence"', code: 403 };
  const { gateway } = await setUp(refuse(403, flagged));
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 403);
  assert.equal(((await response.json()) as OpenAiError).error.message, flagged.message);
  assert.doesNotMatch(gateway.logs(), /"level":50/);
});

test('the log has the words of every failure, without secrets', async () => {
  for (const status of [400, 401, 402, 403, 404, 429, 500, 529]) {
    const { gateway } = await setUp(refuse(status, { message: `Said of ${status} with ${UPSTREAM_KEY}` }));
    await gateway.post('/v1/chat/completions', ask());
    assert.match(gateway.logs(), new RegExp(`Said of ${status} with`));
    assert.equal(gateway.logs().includes(UPSTREAM_KEY), false);
  }
});

test("a provider's retry-after reaches the client, in seconds", async () => {
  for (const headers of [{ 'retry-after': '7' }, { 'retry-after-ms': '6500' }] as Record<string, string>[]) {
    const { gateway } = await setUp(refuse(429, { message: 'slow' }, headers));
    const response = await gateway.post('/v1/chat/completions', ask());
    assert.equal(response.headers.get('retry-after'), '7');
  }
});

test('no seeded secret is in any log, error or record, whatever the provider does with it', async () => {
  const leak = { message: `you sent Bearer ${UPSTREAM_KEY}`, code: UPSTREAM_KEY };
  const answers: Answer[] = [
    refuse(400, leak),
    refuse(401, leak),
    refuse(429, leak),
    refuse(500, leak),
    (response) => response.destroy(),
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`data: ${JSON.stringify({ error: leak })}\n\n`);
    },
  ];
  for (const [index, answer] of answers.entries()) {
    const { gateway } = await setUp(answer);
    const response = await gateway.post('/v1/chat/completions', ask(index === 5));
    const seen = [
      JSON.stringify([...response.headers]),
      await response.text(),
      gateway.logs(),
      JSON.stringify(await gateway.calls()),
      await (await gateway.get('/v1/models')).text(),
    ].join('\n');
    for (const secret of [UPSTREAM_KEY, TEST_KEY, ADMIN_KEY]) {
      assert.equal(seen.includes(secret), false, `answer ${index} told a secret`);
    }
  }
});

const PROVIDER_HEADER = 'p/rovider"header=0123456789';
const ACCOUNT_HEADER = 'Token account-header-0123456789';
const SEEDED = [UPSTREAM_KEY, PROVIDER_HEADER, 'account-header-0123456789'];

/** What the provider received, as servers quote it: in its message, and as those write JSON that escape more than they must. */
const QUOTES = [
  (secret: string) => JSON.stringify(secret),
  (secret: string) => JSON.stringify(secret).replaceAll('/', '\\/').replaceAll('=', '\\u003D'),
];

/** What the provider says when its stream has begun towards the client. */
let goOn: () => void;

const FAILURES: { what: string; adapter: string; stream: boolean; answer: (quoted: string) => Answer }[] = [
  {
    what: 'an error answer',
    adapter: 'openai-compatible',
    stream: false,
    answer: (quoted) => (response) => {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(`{"error":{"message":${quoted},"code":${quoted}}}`);
    },
  },
  {
    what: 'an error in a 200',
    adapter: 'openai-compatible',
    stream: false,
    answer: (quoted) => (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`{"error":{"message":${quoted}}}`);
    },
  },
  {
    what: 'an error in mid-stream that is relayed',
    adapter: 'openai-compatible',
    stream: true,
    answer: (quoted) => (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatChunk('Hel'));
      goOn = () => response.end(`data: {"error":{"message":"Grüße: overloaded","detail":[${quoted}]}}\n\n`);
    },
  },
  {
    what: 'an error in mid-stream that is translated',
    adapter: 'anthropic',
    stream: true,
    answer: (quoted) => (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = (type: string, rest: string) => `event: ${type}\ndata: {"type":"${type}",${rest}}\n\n`;
      response.write(
        event('message_start', '"message":{"id":"m","type":"message","role":"assistant","content":[]}') +
          event('content_block_start', '"index":0,"content_block":{"type":"text","text":""}') +
          event('content_block_delta', '"index":0,"delta":{"type":"text_delta","text":"Hel"}'),
      );
      goOn = () => response.end(event('error', `"error":{"type":"overloaded_error","message":${quoted}}`));
    },
  },
];

for (const { what, adapter, stream, answer } of FAILURES) {
  test(`${what} tells no key and no configured header, neither to the client nor to the log`, async () => {
    for (const quote of QUOTES) {
      const upstream = await startRawUpstream(answer(quote(`you sent ${SEEDED.join(', ')}, too often`)));
      const account = { name: 'main', apiKey: UPSTREAM_KEY, headers: { 'x-account': ACCOUNT_HEADER } };
      const gateway = await startGateway({
        logging: { level: 'debug' },
        providers: {
          up: {
            adapter,
            baseUrl: upstream.baseUrl,
            headers: { 'x-gate': PROVIDER_HEADER },
            accounts: [account],
          },
        },
      });
      closing.push(upstream.close, gateway.stop);
      const response = await gateway.post('/v1/chat/completions', { ...ask(stream), model: 'up/x' });
      if (stream) goOn();
      const told = await response.text();
      assert.match(told, /you sent.*\[redacted\].*too often/, 'what is no secret is told');
      const seen = [told, gateway.logs(), JSON.stringify(await gateway.calls())].join('\n');
      for (const secret of SEEDED) {
        const unescaped = seen
          .replaceAll('\\/', '/')
          .replaceAll(/\\u003d/gi, '=')
          .replaceAll('\\"', '"');
        assert.equal(unescaped.includes(secret), false, `it told ${secret}`);
      }
      if (stream) assert.match(told, /Hel/);
      if (what.endsWith('relayed')) assert.match(told, /Grüße/, 'what is relayed keeps its bytes');
    }
  });
}

test('a target that cannot express the call is passed over, also on the way to another', async () => {
  const fail = await startRawUpstream(refuse(503, { message: 'full' }));
  const well = await startRawUpstream(answerWell);
  const gateway = await startGateway({
    providers: {
      failing: { adapter: 'openai-compatible', baseUrl: fail.baseUrl },
      anthropic: { baseUrl: 'http://127.0.0.1:9', accounts: [{ name: 'main', apiKey: UPSTREAM_KEY }] },
      well: { adapter: 'openai-compatible', baseUrl: well.baseUrl },
    },
    models: {
      m: { targets: ['failing/x', 'anthropic/claude-sonnet-4-5', 'well/x'] },
      only: { targets: ['anthropic/claude-sonnet-4-5'] },
    },
  });
  closing.push(fail.close, well.close, gateway.stop);
  const response = await gateway.post('/v1/chat/completions', { ...ask(), n: 2 });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-fairlead-target'), 'well/x');
  const refused = await gateway.post('/v1/chat/completions', { ...ask(), model: 'only', n: 2 });
  assert.equal(refused.status, 400);
  assert.equal(((await refused.json()) as OpenAiError).error.param, 'n');
});

test('counts that no call can have do not make the records unreadable', async () => {
  const { gateway } = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hello').replace('"prompt_tokens":3', '"prompt_tokens":1e18'));
  });
  assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 200);
  assert.equal((await gateway.calls()).length, 1);
  assert.equal((await gateway.get('/admin/v1/usage?by=model', ADMIN_KEY)).status, 200);
});

test('usage that cannot be read is taken for none: it is estimated', async () => {
  for (const stream of [false, true]) {
    const usage = '"usage":{"prompt_tokens":-5,"completion_tokens":"7"}';
    const { gateway } = await setUp((response) => {
      response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
      if (stream)
        response.end(`${chatChunk('Hello', 'stop')}data: {"choices":[],${usage}}\n\ndata: [DONE]\n\n`);
      else response.end(chatAnswer('Hello').replace(/"usage":\{.*?\}/, usage));
    });
    assert.equal((await gateway.post('/v1/chat/completions', ask(stream))).status, 200);
    const [record] = await gateway.calls();
    assert.equal(record?.usage?.estimated, true);
    assert.ok((record?.usage?.input ?? 0) > 0 && (record?.usage?.output ?? 0) > 0);
  }
});

test('an answer without choices is followed by the next target', async () => {
  const { gateway } = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"id":"c","object":"chat.completion","choices":null}');
  }, answerWell);
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-fairlead-attempts'), '2');
});

test('a target that fails is followed by the next, and the record tells both attempts', async () => {
  const { gateway, upstreams } = await setUp(refuse(500, { message: 'oops' }), answerWell);
  const response = await gateway.post('/v1/chat/completions', ask());
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-fairlead-target'), 'up1/x');
  assert.equal(response.headers.get('x-fairlead-attempts'), '2');
  assert.deepEqual(
    upstreams.map(({ requests }) => requests.length),
    [1, 1],
  );
  const [record] = await gateway.calls();
  assert.deepEqual(
    record?.attempts.map(({ target, outcome }) => ({ target, outcome })),
    [
      { target: 'up0/x', outcome: 'upstream_unavailable' },
      { target: 'up1/x', outcome: 'ok' },
    ],
  );
});

test('an error event right after a 200 still fails over: nothing had reached the client', async () => {
  const { gateway } = await setUp(
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n');
      response.end('data: {"error":{"message":"overloaded","code":503}}\n\n');
    },
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`${chatChunk('Hello', 'stop')}data: [DONE]\n\n`);
    },
  );
  const text = await (await gateway.post('/v1/chat/completions', ask(true))).text();
  assert.equal(text, `${chatChunk('Hello', 'stop')}data: [DONE]\n\n`);
});

test('what the client did wrong is not tried elsewhere', async () => {
  const { gateway, upstreams } = await setUp(refuse(400, { message: 'bad' }), answerWell);
  assert.equal((await gateway.post('/v1/chat/completions', ask())).status, 400);
  assert.deepEqual(
    upstreams.map(({ requests }) => requests.length),
    [1, 0],
  );
});

test('once output has reached the client nothing is switched: the stream ends with an error', async () => {
  const { gateway, upstreams } = await setUp((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk('Hel'), () => response.destroy());
  }, answerWell);
  const text = await (await gateway.post('/v1/chat/completions', ask(true))).text();
  assert.match(text, /Hel[\s\S]*"error"/);
  assert.deepEqual(
    upstreams.map(({ requests }) => requests.length),
    [1, 0],
  );
});

test('a provider that is not there is a 502 that names it', async () => {
  const gateway = await startGateway({
    providers: { gone: { adapter: 'openai-compatible', baseUrl: 'http://127.0.0.1:9/v1' } },
  });
  closing.push(gateway.stop);
  const response = await gateway.post('/v1/chat/completions', { ...ask(), model: 'gone/x' });
  assert.equal(response.status, 502);
  assert.match(await response.text(), /'gone' refused the connection/);
});

test('why a connection failed is in the log, a line an attempt; a client that leaves is no failure', async () => {
  const { gateway } = await setUp(
    (response) => response.destroy(),
    (response) => response.socket?.end('SSH-2.0-x\r\n'),
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatChunk('Hel'), () => response.destroy());
    },
    () => 'never answers',
  );
  await (await gateway.post('/v1/chat/completions', ask(true))).text();
  const leaving = AbortSignal.timeout(200);
  const left = gateway.post('/v1/chat/completions', { ...ask(), model: 'up3/x' }, { signal: leaving });
  await assert.rejects(left);
  await gateway.calls(2);
  const lines = gateway
    .logs()
    .split('\n')
    .filter((line) => line.includes('the connection to a provider failed'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ level, target, account, kind }) => ({ level, target, account, kind })),
    ['up0/x', 'up1/x', 'up2/x'].map((target) => ({
      level: 40,
      target,
      account: 'main',
      kind: 'upstream_unavailable',
    })),
  );
  for (const [index, reason] of [/other side closed/, /it begins with "SSH-2/, /CLOSED_EARLY/].entries()) {
    assert.match(String(lines[index]?.['reason']), reason);
  }
});

const TIMEOUTS: { name: string; timeouts: object; behaviour: Answer; message: RegExp }[] = [
  {
    name: 'firstByte',
    timeouts: { firstByte: '100ms' },
    behaviour: () => 'never answers',
    message: /did not begin to answer in time/,
  },
  {
    name: 'idle',
    timeouts: { idle: '100ms' },
    behaviour: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"id":');
    },
    message: /stopped sending in the middle/,
  },
  {
    name: 'total',
    timeouts: { idle: '10s', total: '300ms' },
    behaviour: (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const trickle = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(trickle));
    },
    message: /call did not finish within 0.3 s.*timeouts\.total.*'slow'/,
  },
];

for (const { name, timeouts, behaviour, message } of TIMEOUTS) {
  test(`the time-out '${name}' of a model ends its attempt`, async () => {
    const upstream = await startRawUpstream(behaviour);
    const gateway = await startGateway({
      providers: { slow: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      models: { m: { targets: ['slow/x'], timeouts } },
    });
    closing.push(upstream.close, gateway.stop);
    const response = await gateway.post('/v1/chat/completions', ask());
    assert.equal(response.status, 504);
    assert.match(((await response.json()) as OpenAiError).error.message, message);
    const [record] = await gateway.calls();
    assert.equal(record?.outcome, 'upstream_timeout');
  });
}
