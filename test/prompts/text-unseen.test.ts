import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { startPrompts } from '../support/prompt-gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** It stands in every line of the prompt's text, and nowhere else. */
const SECRET = /zephyr/i;
const NARROW_KEY = 'sk-fl-test-key-of-narrow-0000000000';

/** What the provider does with what it was sent; it quotes that wherever an answer has room for it. */
let answers: 'whole' | 'broken stream' | number = 'whole';
const upstream = await startRawUpstream((response, body, request) => {
  const quoted = body.replace(/\s/g, ' ');
  response.setHeader('x-prompt', encodeURIComponent(quoted).slice(0, 2000));
  response.setHeader('x-request-id', encodeURIComponent(quoted).slice(0, 2000));
  if (typeof answers === 'number') {
    const error = { message: `cannot do ${quoted}`, type: quoted, param: quoted, code: quoted };
    response.setHeader('content-type', 'application/json');
    response.writeHead(answers, encodeURIComponent(quoted).slice(0, 200));
    response.end(JSON.stringify({ type: 'error', error }));
    return;
  }
  const asked = JSON.parse(body) as { stream?: boolean };
  if (request.url?.endsWith('/messages')) {
    response.setHeader('content-type', 'application/json');
    const message = { id: 'msg', type: 'message', role: 'assistant', model: 'm', prompt: quoted };
    const content = [{ type: 'text', text: '{"mood":"fine"}' }];
    const usage = { input_tokens: 3, output_tokens: 2 };
    response.end(JSON.stringify({ ...message, content, stop_reason: 'end_turn', usage }));
    return;
  }
  if (asked.stream) {
    response.setHeader('content-type', 'text/event-stream');
    const echo = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', prompt: quoted, choices: [] })}\n\n`;
    const end =
      answers === 'whole'
        ? `${chatChunk('"fine"}', 'stop')}data: [DONE]\n\n`
        : `data: ${JSON.stringify({ error: { message: quoted, code: quoted } })}\n\n`;
    response.end(`${echo}${chatChunk('{"mood":')}${end}`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  const answer = JSON.parse(chatAnswer('{"mood":"fine"}')) as { choices: object[] };
  const choices = answer.choices.map((choice) => ({ ...choice, prompt: quoted, prompt_logprobs: [quoted] }));
  const said = { service_tier: 'default', prompt: quoted, instructions: quoted, input: [quoted] };
  response.end(JSON.stringify({ ...answer, choices, ...said }));
});
after(upstream.close);

const FORMATS = ['output', 'chat', 'responses', 'messages'];

/** Such answers shut an account of ours: each call that gets one has its own provider. */
const SHUTTING = [401, 402, 403].flatMap((status) => FORMATS.map((format) => ({ status, format })));

const SECRET_LINES = `{{!-- Zephyr: a remark. --}}
{{role "system"}}
Zephyr says who you are.
{{#if loud}}Zephyr shouts.{{else}}Zephyr whispers.{{/if}}
{{#each tags}}Zephyr has {{this}}.{{/each}}
{{> tone}}
{{history}}
{{role "user"}}
Zephyr asks: {{text}}
{{media url=picture}}
`;
const head = (model: string, more = '') => `---
description: Tells a mood.
model: ${model}
input:
  schema: { text: string, loud?: boolean, tags?(array): string, picture?: string }
  default: { picture: "data:image/png;base64,AAAA" }
output: { schema: { mood: string } }
fairlead: { overrides: [temperature], repairs: 0 }
${more}---
`;
const gateway = await startPrompts(
  {
    '_tone.prompt': 'Zephyr is calm.\n',
    'hidden.prompt': head('m') + SECRET_LINES,
    'kept.prompt': head('m', 'cache: { ttl: 10m }\n') + SECRET_LINES,
    'elsewhere.prompt': head('c') + SECRET_LINES,
    'drawn.prompt': `---\nmodel: claude/m\n---\n{{media url="gs://zephyr/a.png"}}\n`,
    'other.prompt': '---\nmodel: up/m\n---\nZephyr is for others.\n',
    ...Object.fromEntries(
      SHUTTING.map(({ status, format }) => [
        `shut/${status}-${format}.prompt`,
        head(`${format}${status}/m`) + SECRET_LINES,
      ]),
    ),
  },
  {
    providers: {
      up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl },
      ...Object.fromEntries(
        SHUTTING.map(({ status, format }) => [
          format + status,
          { adapter: 'openai-compatible', baseUrl: upstream.baseUrl },
        ]),
      ),
      claude: {
        adapter: 'anthropic',
        baseUrl: upstream.baseUrl.slice(0, -'/v1'.length),
        accounts: [{ name: 'main', apiKey: 'k' }],
      },
    },
    models: { m: { targets: ['up/m'], retries: 0 }, c: { targets: ['claude/m'], retries: 0 } },
    tenants: {
      acme: {
        ...{ models: ['*'], prompts: ['*'], capture: { mode: 'full', retention: '1d' } },
        keys: [
          { name: 'app', secret: TEST_KEY },
          {
            name: 'narrow',
            secret: NARROW_KEY,
            models: [],
            prompts: ['hidden', 'kept', 'elsewhere', 'drawn', 'shut/*'],
          },
        ],
      },
    },
  },
);
after(gateway.stop);

beforeEach(() => {
  answers = 'whole';
});

/** All that a caller sees of an answer: its status, its headers and its body. */
async function see(answer: Response): Promise<string> {
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${decodeURIComponent(value)}`);
  return [answer.status, ...headers, await answer.text()].join('\n');
}

async function look(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<string> {
  const headers = { authorization: `Bearer ${NARROW_KEY}`, 'content-type': 'application/json' };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  const seen = await see(await fetch(gateway.url + path, init));
  assert.doesNotMatch(seen, SECRET, `${method} ${path} ${JSON.stringify(body)}`);
  return seen;
}

test('the doors that tell of prompts and models tell nothing of what a prompt says', async () => {
  for (const path of [
    ...['/v1/prompts', '/v1/prompts/hidden', '/v1/prompts/hidden@1', '/v1/prompts/hidden@draft'],
    ...['/v1/models', '/v1/models/prompt%2Fhidden', '/v1/models/prompt/hidden', '/v1beta/models'],
    ...['/openapi.json', '/v1/prompts/hidden.prompt', '/v1/prompts/_tone', '/v1/prompts/../hidden'],
  ])
    await look('GET', path);
  assert.match(await look('GET', '/v1/prompts'), /"name":"hidden"/);
  assert.match(await look('GET', '/openapi.json'), /Tells a mood/);
});

test('a key of one prompt may call no other, and learns nothing of it', async () => {
  assert.match(await look('GET', '/v1/prompts/other'), /^404/);
  assert.match(await look('POST', '/v1/prompts/other', {}), /^404/);
  assert.match(await look('POST', '/v1/chat/completions', { model: 'up/m', messages: [] }), /^403/);
  for (const path of ['/v1/prompts', '/v1/models', '/openapi.json'])
    assert.doesNotMatch(await look('GET', path), /\bprompts?\/other\b|"other"/);
});

for (const name of ['hidden', 'kept', 'elsewhere'])
  test(`answers, whole and streamed, in every format, whatever the provider makes of it: ${name}`, async () => {
    const statuses = [400, 404, 408, 422, 429, 503];
    for (const now of ['whole', 'broken stream', ...statuses] as (typeof answers)[]) {
      answers = now;
      for (const format of FORMATS)
        for (const stream of [false, true]) {
          const seen = await look('POST', `/v1/prompts/${name}?format=${format}&stream=${stream}`, {
            text: `${now}`,
          });
          if (now === 'whole') assert.match(seen, /^200\b.*fine/s);
        }
    }
  });

test('what a provider says beside its answer in a word is passed on, and what is left out is named', async () => {
  const seen = await look('POST', '/v1/prompts/hidden?format=chat', { text: 'x' });
  assert.match(seen, /"service_tier":"default"/);
  assert.match(seen, /x-fairlead-dropped: .*answer\.prompt_logprobs/);
});

test('answers that are about our own account', async () => {
  for (const { status, format } of SHUTTING) {
    answers = status;
    const before = upstream.requests.length;
    await look('POST', `/v1/prompts/shut/${status}-${format}?format=${format}`, { text: 'x' });
    assert.equal(upstream.requests.length, before + 1);
  }
});

test('inputs that do not fit, and those with which the template gives nothing', async () => {
  for (const input of [
    ...[{}, { text: 1 }, { text: 'x', more: 1 }, { text: 'x', picture: '' }, { text: 'x', picture: 'a b' }],
    ...[
      { text: 'x', messages: [{ role: 'system', content: 'x' }] },
      { text: 'x', messages: 1 },
    ],
    { text: 'x', tags: Array.from({ length: 100_001 }, () => '') },
    { text: '{{> tone}}{{#each}}<<<dotprompt:role:system>>>' },
  ])
    await look('POST', '/v1/prompts/hidden', input);
  for (const format of FORMATS) await look('POST', `/v1/prompts/drawn?format=${format}`, {});
  for (const query of ['?format=none', '?top_p=1', '?temperature=x', '?model=up/other'])
    await look('POST', `/v1/prompts/hidden${query}`, { text: 'x' });
});

test('as a model, at every door that takes one', async () => {
  const messages = [{ role: 'user', content: 'x' }];
  const contents = [{ role: 'user', parts: [{ text: 'x' }] }];
  for (const now of ['whole', 'broken stream', 400] as (typeof answers)[]) {
    answers = now;
    for (const model of ['prompt/hidden', 'prompt/elsewhere', 'prompt/other'])
      for (const stream of [false, true]) {
        await look('POST', '/v1/chat/completions', { model, messages, stream });
        await look('POST', '/v1/responses', { model, input: 'x', stream });
      }
  }
  answers = 'whole';
  for (const model of ['prompt/hidden', 'prompt/kept', 'prompt/other']) {
    await look('POST', '/v1/chat/completions', { model, messages, store: true });
    await look('POST', '/v1/chat/completions', { model, messages, logprobs: true });
    await look('POST', '/v1/responses', { model, input: 'x', store: true });
    await look('POST', '/v1/messages', { model, messages, max_tokens: 9 });
    await look('POST', '/v1/completions', { model, prompt: 'x', echo: true });
  }
  const model = 'prompt/hidden';
  await look('POST', '/v1/messages/count_tokens', { model, messages });
  await look('POST', '/v1/embeddings', { model, input: 'x' });
  await look('POST', '/v1/responses/input_tokens', { model, input: 'x' });
  for (const does of ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent'])
    await look('POST', `/v1beta/models/prompt/hidden:${does}`, { contents });
});

test('nothing is kept to be asked for, or gone on from, by the id of an answer', async () => {
  const answered = [
    await look('POST', '/v1/responses', { model: 'prompt/hidden', input: 'x' }),
    await look('POST', '/v1/prompts/hidden?format=responses', { text: 'x' }),
    await look('POST', '/v1/prompts/hidden?format=chat', { text: 'x' }),
    await look('POST', '/v1/prompts/hidden', { text: 'x' }),
  ];
  const ids = answered.flatMap((seen) => [...seen.matchAll(/"id":"([^"]+)"|x-request-id: (\S+)/g)]);
  assert.ok(ids.length >= 6, answered.join('\n'));
  for (const [, one, other] of ids) {
    const id = one ?? other ?? '';
    for (const path of [
      `/v1/responses/${id}`,
      `/v1/responses/${id}/input_items`,
      `/v1/chat/completions/${id}`,
    ])
      assert.match(await look('GET', path), /^404/, path);
    assert.match(await look('GET', `/admin/v1/calls/${id}`), /^401/);
    const next = { model: 'prompt/hidden', input: 'x', previous_response_id: id };
    assert.match(await look('POST', '/v1/responses', next), /^400/);
    await look('POST', '/v1/feedback', { call: id, score: 1 });
  }
});

test('what an operator sees of a call: what the model was asked, and what the client got', async () => {
  for (const query of ['', '?stream=true', '?format=messages&stream=true']) {
    const answer = await gateway.post(`/v1/prompts/hidden${query}`, { text: 'for the operator' });
    await answer.text();
    const id = answer.headers.get('x-request-id');
    let shown: { capture?: { request: unknown; response: unknown; gap: string | null } } = {};
    for (let looks = 0; looks < 100 && !shown.capture; looks += 1) {
      await sleep(20);
      shown = (await (await gateway.get(`/admin/v1/calls/${id}`, ADMIN_KEY)).json()) as typeof shown;
    }
    assert.match(JSON.stringify(shown.capture?.request), /Zephyr asks: for the operator/, query);
    assert.match(JSON.stringify(shown.capture?.response), /fine/, query);
    assert.equal(shown.capture?.gap, null);
  }
});
