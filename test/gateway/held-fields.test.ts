import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { HELD_FIELDS, type HeldField } from '../../src/dialects/held-fields.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

/** Refuses nothing: what is asked of it has got past every check of the gateway. */
const ANSWERS: readonly [path: RegExp, answer: string][] = [
  [/[eE]mbedContent/, '{"embedding":{"values":[1]},"embeddings":[{"values":[1]}]}'],
  [/count_tokens|countTokens/, '{"input_tokens":7,"totalTokens":7}'],
  [
    /[gG]enerateContent/,
    '{"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP"}]}',
  ],
  [
    /\/messages|rawPredict/,
    '{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}',
  ],
  [
    /\/responses/,
    '{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":1}}',
  ],
  [/./, chatAnswer('ok')],
];
const upstream = await startRawUpstream((response: ServerResponse, _body, { url = '' }) => {
  response.setHeader('content-type', 'application/json');
  response.end(ANSWERS.find(([path]) => path.test(url))?.[1]);
});
const root = upstream.baseUrl.replace(/\/v1$/, '');
const accounts = [{ name: 'main', apiKey: 'key-of-the-provider-0000' }];
const LIMITED = 'sk-fl-limited-key-00000000000000000';
const PATTERNED = 'sk-fl-patterned-key-000000000000000';
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: upstream.baseUrl, accounts },
    moonshot: { baseUrl: upstream.baseUrl, accounts },
    alibaba: { baseUrl: upstream.baseUrl, accounts },
    ollama: { baseUrl: upstream.baseUrl, accounts },
    openrouter: { baseUrl: upstream.baseUrl, accounts },
    router: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
    'azure-openai': { baseUrl: root, apiVersion: '2024-10-21', accounts },
    anthropic: { baseUrl: root, accounts },
    gemini: { baseUrl: root, accounts },
  },
  models: { flash: { targets: ['gemini/gemini-2.5-flash'] } },
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    limited: {
      models: [
        ...['flash', 'openai/gpt-4.1', 'openai/tts-1', 'moonshot/kimi-k2.5', 'alibaba/qwen-long'],
        ...['anthropic/claude-sonnet-4-5', 'azure-openai/gpt-4.1', 'ollama/small'],
        ...['openrouter/small', 'openrouter/other', 'router/small', 'router/other'],
        ...['openai/gpt-image-1-mini', 'anthropic/claude-haiku-4-5'],
      ],
      keys: [{ name: 'app', secret: LIMITED }],
    },
    patterned: { models: ['openrouter/openai/*'], keys: [{ name: 'app', secret: PATTERNED }] },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function ask(key: string, path: string, body: unknown) {
  const before = upstream.requests.length;
  const response = await gateway.post(path, body, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, text: await response.text(), sent: upstream.requests.slice(before) };
}

/** Refused to who has not all of the provider, before the provider hears of it; let through for who has. */
async function assertHeld(path: string, body: JsonObject | string, param?: string): Promise<void> {
  const { status, text, sent } = await ask(LIMITED, path, body);
  const shown = `${path} ${typeof body === 'string' ? body : JSON.stringify(body)}\n${text}`;
  assert.deepEqual(
    sent.map(({ body: said }) => said),
    [],
    `a provider was asked: ${shown}`,
  );
  assert.ok(status === 403 || status === 404, `${status} ${shown}`);
  const told = tryParseJson(text);
  assert.ok(isObject(told) && isObject(told['error']));
  assert.notEqual(told['error']['code'], 'model_not_found', shown);
  if (param !== undefined && 'param' in told['error']) assert.equal(told['error']['param'], param, shown);
  const theirs = await ask(TEST_KEY, path, body);
  assert.equal(theirs.status, 200, `${shown}\n${theirs.text}`);
}

const USER = { role: 'user', content: 'say ok' };
const PARTS = [{ role: 'user', parts: [{ text: 'say ok' }] }];

interface DoorForm {
  path: string;
  /** A request with a field at its top, or within what only this dialect knows. */
  top(field: JsonObject): JsonObject;
  within(field: JsonObject): JsonObject;
}

const chatForm = (path: string): DoorForm => ({
  path,
  top: (field) => ({ model: 'openai/gpt-4.1', messages: [USER], ...field }),
  within: (field) => ({
    model: 'openai/gpt-4.1',
    messages: [{ role: 'user', content: [{ type: 'x', ...field }] }],
    audio: field,
  }),
});
const messagesForm = (path: string): DoorForm => ({
  path,
  top: (field) => ({
    model: 'anthropic/claude-sonnet-4-5',
    max_tokens: 5,
    messages: [USER],
    ...field,
  }),
  within: (field) => ({
    model: 'anthropic/claude-sonnet-4-5',
    max_tokens: 5,
    messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'x', ...field } }] }],
  }),
});
const geminiForm = (method: string): DoorForm => ({
  path: `/v1beta/models/flash:${method}`,
  top: (field) => ({ contents: PARTS, ...field }),
  within: (field) => ({ contents: PARTS, tools: [{ retrieval: { x: field } }] }),
});
const inner = (form: DoorForm, key: string): DoorForm => ({
  path: form.path,
  top: (field) => ({ [key]: form.top(field) }),
  within: (field) => ({ [key]: form.within(field) }),
});

const FORMS: Record<CallerDialectName, DoorForm[]> = {
  chat: [chatForm('/v1/chat/completions')],
  responses: [
    {
      path: '/v1/responses',
      top: (field) => ({ model: 'openai/gpt-4.1', input: 'say ok', ...field }),
      within: (field) => ({
        model: 'openai/gpt-4.1',
        input: 'say ok',
        tools: [{ type: 'code_interpreter', x: [field] }],
      }),
    },
  ],
  messages: [messagesForm('/v1/messages'), messagesForm('/v1/messages/count_tokens')],
  gemini: [
    geminiForm('generateContent'),
    geminiForm('countTokens'),
    inner(geminiForm('countTokens'), 'generateContentRequest'),
    inner(geminiForm('countTokens'), 'generate_content_request'),
    {
      path: '/v1beta/models/flash:batchEmbedContents',
      top: (field) => ({ requests: [{ content: PARTS[0] as JsonValue, ...field }] }),
      within: (field) => ({ requests: [{ content: { parts: [{ x: field }] }, tools: [] }] }),
    },
  ],
};

/** One id a field: what is named first of some kinds is whose call names it. */
const valuesOf = ({ form }: HeldField, id: string): JsonValue[] =>
  ({
    id: [id, { id }, [id]],
    object: [{ id }],
    continued: [{ type: 'continue', previous_message_id: id }],
    address: [`gs://${id}`],
    whole: [{ endpoint: id }, [{ type: id }]],
  })[form];

/** Other bytes that say the same. */
const SPELLINGS: Record<string, (body: JsonObject) => string> = {
  plain: (body) => JSON.stringify(body),
  pretty: (body) => JSON.stringify(body, null, '\t'),
  'with spaces before colons': (body) => JSON.stringify(body).replaceAll('":', '" :'),
  'with slashes escaped': (body) => JSON.stringify(body).replaceAll('/', '\\/'),
};

const OWN_TESTS = ['audio', 'item', 'thread', 'compared', 'continuation'];

for (const [dialect, forms] of Object.entries(FORMS) as [CallerDialectName, DoorForm[]][]) {
  for (const form of forms) {
    describe(`at ${form.path} (${Object.keys(form.top({})).join(', ')})`, () => {
      for (const [key, field] of Object.entries(HELD_FIELDS[dialect].fields)) {
        // Nobody can name what no answer held: left-behind.test.ts, held-ids.test.ts, message-threads.test.ts, cache-diagnostics.test.ts.
        // What nobody gave goes on as it came: continuation-tokens.test.ts.
        const namesHeld = OWN_TESTS.includes(field.kind) ? undefined : test;
        namesHeld?.(`${key} names what a provider holds, however it is written`, async () => {
          const place = field.top ? form.top : form.within;
          const [first = null, ...others] = valuesOf(field, `${key}-of-another-at${form.path}`);
          for (const spell of Object.values(SPELLINGS))
            await assertHeld(form.path, spell(place({ [key]: first })));
          for (const value of others) await assertHeld(form.path, place({ [key]: value }));
        });

        test(`${key} is refused where only a lenient parser reads it, or two read different things`, async () => {
          const [value = null] = valuesOf(field, `${key}-of-another-at${form.path}`);
          const text = JSON.stringify((field.top ? form.top : form.within)({ [key]: value }));
          const doubtful = [
            text.replace(`"${key}"`, `'${key}'`),
            text.replace(`"${key}"`, key),
            text.replace(`"${key}"`, `"${key.replace(/[^bfnrtu]/, '\\$&')}"`),
            text.replace(`"${key}"`, `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"`),
            text.replace(`"${key}"`, `"${key}":null,"${key}"`),
          ];
          for (const body of doubtful) {
            const { status, text: said, sent } = await ask(LIMITED, form.path, body);
            assert.equal(status, 400, `${body} ${said}`);
            assert.deepEqual(sent, [], body);
          }
        });
      }
    });
  }
}

describe('the path in a refusal is one of the caller’s request', () => {
  const google = 'https://generativelanguage.googleapis.com/v1beta/files/of-other';
  const document = { type: 'document', source: { type: 'url', url: google } };
  for (const path of ['/v1/messages', '/v1/messages/count_tokens']) {
    test(`${path} of another dialect’s model`, async () => {
      const body = { model: 'flash', max_tokens: 5, messages: [{ role: 'user', content: [document] }] };
      await assertHeld(path, body, 'messages[].content[]');
      const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [document] };
      const call = { type: 'tool_use', id: 'toolu_1', name: 'read', input: {} };
      const tools = [{ name: 'read', input_schema: { type: 'object' } }];
      const messages = [USER, { role: 'assistant', content: [call] }, { role: 'user', content: [result] }];
      await assertHeld(path, { model: 'flash', max_tokens: 5, tools, messages });
    });
  }

  test('chat', async () => {
    const content = [
      { type: 'text', text: 'say ok' },
      { type: 'image_url', image_url: { url: google } },
    ];
    await assertHeld(
      '/v1/chat/completions',
      { model: 'flash', messages: [{ role: 'user', content }] },
      'messages[0].content[1]',
    );
  });
});

describe('what single providers hold', () => {
  test('videos at Moonshot', async () => {
    const video = { type: 'video_url', video_url: { url: 'ms://file-of-other' } };
    const messages = [{ role: 'user', content: [video] }];
    await assertHeld(
      '/v1/chat/completions',
      { model: 'moonshot/kimi-k2.5', messages },
      'messages[0].content[0].video_url',
    );
    const twice = JSON.stringify({ model: 'moonshot/kimi-k2.5', messages }).replace(
      '"url":',
      '"url":"https://example.com/a.mp4","url":',
    );
    assert.equal((await ask(LIMITED, '/v1/chat/completions', twice)).status, 400);
  });

  const TOOLS: JsonObject[] = [
    { type: 'file_search', vector_store_ids: ['vs_1'] },
    { type: 'retrieval', retrieval: { knowledge_id: 'kb_1' } },
    { type: 'document_library', library_ids: ['lib_1'] },
  ];
  for (const tool of TOOLS) {
    test(`what a ${tool['type']} tool searches, at the chat door`, async () => {
      const body = { model: 'router/small', messages: [USER], tools: [tool] };
      await assertHeld(
        '/v1/chat/completions',
        body,
        `tools[0].${tool['retrieval'] ? 'retrieval.knowledge_id' : Object.keys(tool)[1]}`,
      );
      const words = {
        type: 'object',
        properties: { vector_store_ids: { type: 'array' }, knowledge_id: { type: 'string' } },
      };
      const own = { type: 'function', function: { name: 'search', parameters: words } };
      const { status } = await ask(LIMITED, '/v1/chat/completions', { ...body, tools: [own] });
      assert.equal(status, 200, 'a tool of the caller’s own may call its parameters as it likes');
    });
  }

  test('media that a server keeps by the names that callers gave them', async () => {
    for (const media of [null, { url: 'https://example.com/a.png' }]) {
      const content = [{ type: 'image_url', image_url: media, uuid: 'img-1' }];
      const body = { model: 'router/small', messages: [{ role: 'user', content }] };
      await assertHeld('/v1/chat/completions', body, 'messages[0].content[0].uuid');
    }
  });

  test('the chat door holds what the door of responses does, for servers take at one what others do at the other', () => {
    const { chat, responses } = HELD_FIELDS;
    const shared = Object.keys(responses.fields).filter(
      (key) => responses.fields[key]?.kind === 'shared' && !responses.fields[key].top,
    );
    assert.deepEqual(
      shared.filter((key) => chat.fields[key]?.form !== responses.fields[key]?.form),
      [],
    );
  });

  test('indices of Azure’s search', async () => {
    const data_sources = [{ type: 'azure_search', parameters: { index_name: 'of-other' } }];
    const body = { model: 'azure-openai/gpt-4.1', messages: [USER], data_sources };
    await assertHeld('/v1/chat/completions', body, 'data_sources');
  });

  test('voices at OpenAI, but not those that everybody has', async () => {
    const speech = { model: 'openai/tts-1', input: 'Hi' };
    await assertHeld('/v1/audio/speech', { ...speech, voice: { id: 'voice_1' } }, 'voice');
    const chat = { model: 'openai/gpt-4.1', messages: [USER] };
    await assertHeld('/v1/chat/completions', { ...chat, audio: { voice: { id: 'voice_1' } } }, 'audio.voice');
    assert.equal((await ask(LIMITED, '/v1/audio/speech', { ...speech, voice: 'alloy' })).status, 200);
    const audio = { format: 'mp3', voice: 'alloy' };
    assert.equal((await ask(LIMITED, '/v1/chat/completions', { ...chat, audio })).status, 200);
  });

  test('buckets that Vertex writes pictures to, and the filters that it screens prompts by', async () => {
    const outputUriPrefix = 'gs://bucket-of-the-operator/';
    const template = 'projects/p/locations/l/templates/of-the-operator';
    for (const [form, field] of [
      ['outputConfig', { outputUriPrefix }],
      ['output_config', { output_uri_prefix: outputUriPrefix }],
      ['outputConfig', { output_uri_prefix: outputUriPrefix }],
      ['generationOutputConfig', { outputUriPrefix }],
      ['modelArmorConfig', { promptTemplateName: template }],
      ['model_armor_config', { response_template_name: template }],
    ] as const) {
      const request = { contents: PARTS, [form]: field };
      await assertHeld('/v1beta/models/flash:generateContent', request);
      await assertHeld('/v1beta/models/flash:streamGenerateContent?alt=sse', request);
      await assertHeld('/v1beta/models/flash:countTokens', { generateContentRequest: request });
    }
  });

  test('another model that Vertex is to choose', async () => {
    const manualMode = { modelName: 'gemini-2.5-pro' };
    for (const generationConfig of [
      { routingConfig: { manualMode } },
      { routing_config: { auto_mode: { model_routing_preference: 'PRIORITIZE_QUALITY' } } },
    ]) {
      const request = { contents: PARTS, generationConfig };
      await assertHeld('/v1beta/models/flash:generateContent', request);
      await assertHeld('/v1beta/models/flash:countTokens', { generateContentRequest: request });
    }
  });

  test('tunnels to servers of tools', async () => {
    const tools = [{ type: 'mcp', server_label: 'x', tunnel_id: 'tunnel-of-the-operator' }];
    const body = { model: 'openai/gpt-4.1', input: 'say ok', tools };
    await assertHeld('/v1/responses', body, 'tools[0].tunnel_id');
  });

  test('files that Qwen reads by their ids in system messages', async () => {
    const messages = [{ role: 'system', content: 'fileid://file-fe-of-other' }, USER];
    const body = { model: 'alibaba/qwen-long', messages };
    await assertHeld('/v1/chat/completions', body, 'messages[0].content');
    await assertHeld('/v1/chat/completions', JSON.stringify(body).replaceAll('/', '\\/'));
    await assertHeld('/v1/chat/completions', JSON.stringify(body).replace('fileid', 'file\\u0069d'));
    const said = { max_tokens: 5, messages: [USER] };
    await assertHeld('/v1/messages', {
      model: 'alibaba/qwen-long',
      ...said,
      system: 'fileid://file-fe-of-other',
    });
  });

  test('an image item without its image, reasoning without its encrypted form', async () => {
    for (const item of [
      { type: 'image_generation_call', id: 'ig_1', result: '' },
      { type: 'image_generation_call', id: 'ig_1', result: null },
      { type: 'reasoning', id: 'rs_1', summary: [], content: [{}] },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: '' },
      { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: true },
    ]) {
      const { status, text, sent } = await ask(LIMITED, '/v1/responses', {
        model: 'openai/gpt-4.1',
        input: [USER, item],
      });
      assert.equal(status, 404, text);
      assert.match(text, /object_not_found/);
      assert.deepEqual(sent, []);
    }
  });
});

describe('what two readers could read differently is refused where something may be named', () => {
  const chat = '"model":"openai/gpt-4.1"';
  const claude = '"model":"anthropic/claude-sonnet-4-5","max_tokens":5';
  const say = '"messages":[{"role":"user","content":"x"}]';
  for (const [what, path, body] of [
    [
      'a document that is a call of a tool, too',
      '/v1/messages',
      `{${claude},"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"},"type":"x_tool_use"}]}]}`,
    ],
    [
      'a skill that is Anthropic’s, too',
      '/v1/messages',
      `{${claude},"container":{"skills":[{"type":"custom","skill_id":"skill_1","version":"1","type":"anthropic"}]},${say}}`,
    ],
    [
      'a reference that is a message, too',
      '/v1/responses',
      `{${chat},"input":[{"type":"item_reference","id":"msg_1","type":"message","role":"user","content":"x"}]}`,
    ],
    [
      'reasoning with its encrypted form and without',
      '/v1/responses',
      `{${chat},"input":[{"type":"reasoning","id":"rs_1","encrypted_content":null,"summary":[],"encrypted_content":"gAAA"}]}`,
    ],
    [
      'an item with a content and without',
      '/v1/responses',
      `{${chat},"input":[{"id":"msg_1","content":null,"content":"x"}]}`,
    ],
    [
      'a tool that is the caller’s, too',
      '/v1/responses',
      `{${chat},"input":"x","tools":[{"type":"image_generation","model":"forbidden","type":"function"}]}`,
    ],
    [
      'a fallback to one model and to another',
      '/v1/messages',
      `{${claude},${say},"fallbacks":[{"model":"forbidden","model":"claude-haiku-4-5"}]}`,
    ],
    [
      'the same in another spelling',
      '/v1/responses',
      `{${chat},"input":"x","tools":[{"type":"image_generation","model":"forbidden","t\\u0079pe":"function"}]}`,
    ],
  ] as const) {
    test(what, async () => {
      const { status, text, sent } = await ask(LIMITED, path, body);
      assert.deepEqual([status, sent], [400, []], text);
      assert.match(text, /stands twice/);
    });
  }
});

describe('a second model beside the permitted one', () => {
  test('is not reached by another spelling of the field', async () => {
    for (const field of ['MODEL', 'Model', 'mo\\u0044el']) {
      const body = `{"model":"ollama/small","${field}":"forbidden","messages":[{"role":"user","content":"x"}]}`;
      const { status, sent, text } = await ask(LIMITED, '/v1/chat/completions', body);
      assert.equal(status, 400, text);
      assert.deepEqual(sent, []);
    }
  });

  const adding = (model: string) => ({
    type: 'additional_tools',
    role: 'developer',
    tools: [{ type: 'image_generation', model }],
  });
  const FIELDS = {
    '/v1/chat/completions': [
      [{ models: ['small', 'other'] }, 200],
      [{ models: null, fallbacks: [], route: '' }, 200],
      [{ models: ['small', 'forbidden'] }, 403],
      [{ models: 'forbidden' }, 403],
      [{ models: [{ id: 'forbidden' }] }, 403],
      [{ fallbacks: ['other', { model: 'other', messages: [] }] }, 200],
      [{ fallbacks: ['forbidden'] }, 403],
      [{ fallbacks: [{ model: 'forbidden' }] }, 403],
      [{ fallbacks: [{ small: ['forbidden'] }] }, 403],
      [{ context_window_fallback_dict: { small: 'forbidden' } }, 403],
      [{ draft_model: 'forbidden' }, 403],
      [{ safety_model: 'forbidden' }, 403],
      [{ moderation: { model: 'forbidden' } }, 403],
      [{ compound_custom: { models: { answering_model: 'forbidden' } } }, 403],
      [{ route: 'fallback' }, 403],
      [{ preset: 'mine' }, 403],
      [{ plugins: [{ id: 'auto-router', allowed_models: ['forbidden'] }] }, 403],
      [{ providerOptions: { gateway: { models: ['forbidden'] } } }, 403],
      [{ tools: [{ type: 'openrouter:other', parameters: { model: 'other' } }] }, 200],
      [{ tools: [{ type: 'openrouter:other', parameters: { model: 'forbidden' } }] }, 403],
      [{ tools: [{ type: 'openrouter:other', parameters: { models: ['small', 'forbidden'] } }] }, 403],
      [{ tools: [{ type: 'function', function: { name: 'buy', parameters: { model: 'car' } } }] }, 200],
    ],
    '/v1/responses': [
      [{ tools: [{ type: 'image_generation', model: 'gpt-image-1-mini' }] }, 200],
      [{ tools: [{ type: 'image_generation' }] }, 200],
      [{ tools: [{ type: 'image_generation', model: 'forbidden' }] }, 403],
      [{ input: [adding('gpt-image-1-mini')] }, 200],
      [{ input: ['x', adding('forbidden')] }, 403],
      [{ tools: [{ type: 'image_generation', svg: { model: 'forbidden' } }] }, 403],
      [{ tools: [{ type: 'namespace', name: 'x', tools: [{ type: 'x', model: 'forbidden' }] }] }, 403],
      [{ tools: [{ type: 'function', name: 'buy', parameters: { properties: { model: {} } } }] }, 200],
      [{ moderation: { model: 'forbidden' } }, 403],
    ],
    '/v1/messages': [
      [{ fallbacks: [{ model: 'claude-haiku-4-5', max_tokens: 5 }] }, 200],
      [{ fallbacks: [{ model: 'forbidden' }] }, 403],
      [{ fallbacks: 'default' }, 403],
      [{ tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-haiku-4-5' }] }, 200],
      [{ tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'forbidden' }] }, 403],
      [{ tools: [{ name: 'buy', input_schema: { properties: { model: { type: 'string' } } } }] }, 200],
    ],
  } as const;
  const BODIES: Record<keyof typeof FIELDS, readonly JsonObject[]> = {
    '/v1/chat/completions': [
      { model: 'openrouter/small', messages: [USER] },
      // By its base URL it may be any router.
      { model: 'router/small', messages: [USER] },
    ],
    '/v1/responses': [{ model: 'openai/gpt-4.1', input: 'say ok' }],
    '/v1/messages': [{ model: 'anthropic/claude-sonnet-4-5', max_tokens: 5, messages: [USER] }],
  };
  for (const path of Object.keys(FIELDS) as (keyof typeof FIELDS)[]) {
    for (const [fields, status] of FIELDS[path]) {
      test(`is permitted or refused at ${path}: ${JSON.stringify(fields)}`, async () => {
        for (const body of BODIES[path]) {
          const answer = await ask(LIMITED, path, { ...body, ...fields });
          assert.equal(answer.status, status, `${String(body['model'])} ${answer.text}`);
          assert.equal(answer.sent.length, status === 200 ? 1 : 0);
          const theirs = await ask(TEST_KEY, path, { ...body, ...fields });
          assert.equal(theirs.status, 200, theirs.text);
        }
      });
    }
  }

  test('is not reached by what a name says beside the model', async () => {
    const named = (model: string) => ({ model, messages: [USER] });
    const patterned = async (body: JsonObject) => (await ask(PATTERNED, '/v1/chat/completions', body)).status;
    assert.equal(await patterned(named('openrouter/openai/gpt-4.1')), 200);
    assert.equal(await patterned(named('openrouter/openai/gpt-4.1:nitro')), 200);
    for (const further of ['@preset/ops', '@PRESET/ops', ':online', ':free:online', '#acme/deployment']) {
      const model = `openrouter/openai/gpt-4.1${further}`;
      const { status, sent } = await ask(PATTERNED, '/v1/chat/completions', named(model));
      assert.deepEqual([status, sent], [403, []], model);
      const listed = { ...named('openrouter/openai/gpt-4.1'), models: [model.slice('openrouter/'.length)] };
      assert.equal(await patterned(listed), 403, `${model} in a list`);
      assert.equal((await ask(TEST_KEY, '/v1/chat/completions', named(model))).status, 200);
    }
  });

  test('is told by its place and by the permission that is needed', async () => {
    const tools = [{ type: 'web_search' }, { type: 'image_generation', model: 'gpt-image-2' }];
    const { text } = await ask(LIMITED, '/v1/responses', { model: 'openai/gpt-4.1', input: 'x', tools });
    const told = tryParseJson(text);
    assert.ok(isObject(told) && isObject(told['error']));
    assert.equal(told['error']['param'], 'tools[1].model');
    assert.match(String(told['error']['message']), /openai\/gpt-image-2/);
  });

  test('is refused where two readers could read different ones', async () => {
    const tool = '{"type":"image_generation","model":"gpt-image-1-mini"}';
    for (const tools of [
      tool.replace('"model"', '"model":"forbidden","model"'),
      tool.replace('"model"', '"mod\\u0065l":"forbidden","model"'),
    ]) {
      const body = `{"model":"openai/gpt-4.1","input":"x","tools":[${tools}]}`;
      const { status, text, sent } = await ask(LIMITED, '/v1/responses', body);
      assert.equal(status, 400, text);
      assert.deepEqual(sent, []);
    }
    const escaped = `{"model":"openai/gpt-4.1","input":"x","tools":[${tool.replace('"model":"gpt-image-1-mini"', '"mod\\u0065l":"forbidden"')}]}`;
    assert.equal((await ask(LIMITED, '/v1/responses', escaped)).status, 400);
    const other = `{"model":"router/small","messages":[{"role":"user","content":"x"}],"Models":["forbidden"]}`;
    assert.equal((await ask(LIMITED, '/v1/chat/completions', other)).status, 400);
  });

  test('is not had at the doors of what is only relayed', async () => {
    const body = { model: 'router/small', query: 'x', documents: ['y'], fallbacks: ['forbidden'] };
    assert.equal((await ask(LIMITED, '/v1/rerank', body)).status, 403);
    const embed = { model: 'router/small', input: 'x', models: ['forbidden'] };
    assert.equal((await ask(LIMITED, '/v1/embeddings', embed)).status, 403);
  });
});

describe('reasoning that a client says it carries', () => {
  const carry = (id: string, dialect: string, fields: JsonObject) => {
    const reasoning = [{ text: '', signature: { dialect, value: 'eA==' }, extra: { dialect, fields } }];
    return `${id}__fl1__${deflateRawSync(JSON.stringify({ reasoning })).toString('base64url')}`;
  };
  const fileUri = 'https://generativelanguage.googleapis.com/v1beta/files/of-other';

  test('names no file where no check looks for one', async () => {
    const fields = { type: 'document', source: { type: 'file', file_id: 'file-of-other' } };
    const id = carry('t1', 'messages', fields);
    const tool_calls = [{ id, type: 'function', function: { name: 'f', arguments: '{}' } }];
    const messages = [
      USER,
      { role: 'assistant', content: null, tool_calls },
      { role: 'tool', tool_call_id: id, content: '1' },
    ];
    const body = { model: 'anthropic/claude-sonnet-4-5', messages };
    const { status, sent, text } = await ask(LIMITED, '/v1/chat/completions', body);
    assert.equal(status, 200, text);
    assert.match(sent[0]?.body ?? '', /"type":"thinking"/);
    assert.doesNotMatch(sent[0]?.body ?? '', /of-other/);
  });

  test('nor in a signature of Google’s', async () => {
    const fields = { text: null, thought: null, thoughtSignature: null, fileData: { fileUri } };
    const thoughtSignature = Buffer.from(carry('', 'gemini', fields)).toString('base64');
    const contents = [
      { role: 'user', parts: [{ text: 'say ok' }] },
      { role: 'model', parts: [{ functionCall: { name: 'f', args: {} }, thoughtSignature }] },
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] },
    ];
    const { status, sent, text } = await ask(LIMITED, '/v1beta/models/flash:generateContent', { contents });
    assert.equal(status, 200, text);
    assert.match(sent[0]?.body ?? '', /"thought":true/);
    assert.doesNotMatch(sent[0]?.body ?? '', /of-other/);
  });
});

test('public addresses and data are nobody’s, in every dialect', async () => {
  const bodies: [string, JsonObject][] = [];
  for (const url of ['https://example.com/a.png', 'HTTP://example.com/a.png', 'data:image/png;base64,AAAA']) {
    const content = [{ type: 'image_url', image_url: { url } }];
    bodies.push(['/v1/chat/completions', { model: 'openai/gpt-4.1', messages: [{ role: 'user', content }] }]);
    const input = [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }];
    bodies.push(['/v1/responses', { model: 'openai/gpt-4.1', input }]);
    const image = [{ type: 'image', source: { type: 'url', url } }];
    const messages = [{ role: 'user', content: image }];
    bodies.push(['/v1/messages', { model: 'anthropic/claude-sonnet-4-5', max_tokens: 5, messages }]);
  }
  for (const [path, body] of bodies) {
    const { status, text } = await ask(LIMITED, path, body);
    assert.equal(status, 200, `${path} ${JSON.stringify(body)} ${text}`);
  }
});
