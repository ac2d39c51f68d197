import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const [openai, second, anthropic, gemini, bedrock] = await Promise.all([
  startFakeOpenAi(),
  startFakeOpenAi(),
  startFakeAnthropic(),
  startFakeGemini(),
  startFakeBedrock(),
]);
const account = ({ url, apiKey }: FakeProvider) => ({
  baseUrl: url,
  accounts: [{ name: 'main', apiKey }],
});
const KEYS = {
  acme: TEST_KEY,
  other: 'sk-fl-key-of-another-tenant-0000000',
  /** May call models, but not all of any provider. */
  limited: 'sk-fl-limited-key-00000000000000000',
};
const NOVA = 'us.amazon.nova-pro-v1:0';
const tenant = (secret: string, models: string[]) => ({ models, keys: [{ name: 'app', secret }] });
const gateway = await startGateway({
  providers: {
    openai: account(openai),
    second: { adapter: 'openai-compatible', ...account(second) },
    anthropic: account(anthropic),
    gemini: account(gemini),
    bedrock: { region: 'us-east-1', ...account(bedrock) },
  },
  models: {
    either: { targets: ['second/gpt-4.1', 'openai/gpt-4.1'] },
    claude: { targets: ['anthropic/claude-sonnet-4-5'] },
    flash: { targets: ['gemini/gemini-2.5-flash'] },
  },
  tenants: {
    acme: tenant(KEYS.acme, ['*']),
    other: tenant(KEYS.other, ['*']),
    limited: tenant(KEYS.limited, [
      'openai/gpt-4.1',
      'claude',
      'flash',
      'gemini/gemini-2.5-flash',
      `bedrock/${NOVA}`,
    ]),
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([openai, second, anthropic, gemini, bedrock].map((fake) => fake.close()));
});

type Who = keyof typeof KEYS;
const clientOf = (who: Who) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: KEYS[who], maxRetries: 0 });
const acme = clientOf('acme');
const upload = async () =>
  acme.files.create(
    { file: await toFile(Buffer.from('%PDF-1.4'), 'a.pdf'), purpose: 'user_data' },
    { headers: { 'x-fairlead-provider': 'openai' } },
  );
const post = (who: Who, path: string, body: unknown) =>
  gateway.post(path, body, { headers: { authorization: `Bearer ${KEYS[who]}` } });

/** The refusal without the id in it, and that no provider was asked. */
async function refusal(who: Who, path: string, body: unknown, id: string): Promise<unknown> {
  const asked = () => [openai, second, anthropic, gemini, bedrock].map(({ requests }) => requests.length);
  const before = asked();
  const answer = await post(who, path, body);
  const text = await answer.text();
  assert.ok(answer.status === 403 || answer.status === 404, `${answer.status} ${text}`);
  assert.deepEqual(asked(), before, 'a provider was asked');
  return { status: answer.status, text: text.replaceAll(id, 'ID').replaceAll(/req_[\w-]+/g, '') };
}

const CHAT = '/v1/chat/completions';
const chatWith = (fileId: string, model = 'openai/gpt-4.1') => ({
  model,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'say ok' },
        { type: 'file', file: { file_id: fileId } },
      ],
    },
  ],
});
const responsesWith = (fileId: string, model = 'openai/gpt-4.1') => ({
  model,
  input: [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'say ok' },
        { type: 'input_file', file_id: fileId },
      ],
    },
  ],
});
const messagesWith = (fileId: string) => ({
  model: 'claude',
  max_tokens: 50,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'say ok' },
        { type: 'document', source: { type: 'file', file_id: fileId } },
      ],
    },
  ],
});
const geminiWith = (fileUri: string) => ({
  contents: [
    { role: 'user', parts: [{ text: 'say ok' }, { fileData: { mimeType: 'application/pdf', fileUri } }] },
  ],
});
const GENERATE = '/v1beta/models/flash:generateContent';

describe('a file that a tenant uploaded', () => {
  for (const [door, path, bodyWith] of [
    ['chat', CHAT, chatWith],
    ['responses', '/v1/responses', responsesWith],
  ] as const) {
    test(`can be named by its id in ${door}, and goes to the account that has it`, async () => {
      const { id } = await upload();
      const before = second.requests.length;
      const answer = await post('acme', path, bodyWith(id, 'either'));
      assert.equal(answer.status, 200, await answer.text());
      assert.equal(answer.headers.get('x-fairlead-target'), 'openai/gpt-4.1');
      assert.equal(second.requests.length, before);
    });

    test(`is unknown in ${door} to any other tenant, in the words for an id that nobody has`, async () => {
      const { id } = await upload();
      const theirs = await refusal('other', path, bodyWith(id), id);
      assert.deepEqual(theirs, await refusal('limited', path, bodyWith(id), id));
      assert.deepEqual(theirs, await refusal('limited', path, bodyWith('file-none'), 'file-none'));
    });

    test(`is refused in ${door} where the model leads to another account`, async () => {
      const { id } = await upload();
      const answer = await post('acme', path, bodyWith(id, 'second/gpt-4.1'));
      assert.equal(answer.status, 400);
      assert.match(await answer.text(), /kept by a provider account/);
    });
  }

  test('is unknown in messages, too, whose words it is refused in', async () => {
    const { id } = await upload();
    const answer = await post('other', '/v1/messages', messagesWith(id));
    assert.equal(answer.status, 404);
    const { error } = (await answer.json()) as { error: { type: string; message: string } };
    assert.equal(error.type, 'not_found_error');
    assert.match(error.message, /^File not found: file-/);
  });

  test('is found however deep and wherever it stands', async () => {
    const { id } = await upload();
    const tries: [string, object][] = [
      [
        '/v1/responses',
        {
          input: 'say ok',
          tools: [{ type: 'code_interpreter', container: { type: 'auto', file_ids: [id] } }],
        },
      ],
      [
        '/v1/responses',
        { input: 'say ok', tools: [{ type: 'image_generation', input_image_mask: { file_id: id } }] },
      ],
      [
        '/v1/responses',
        {
          input: [
            {
              type: 'computer_call_output',
              call_id: 'c',
              output: { type: 'computer_screenshot', file_id: id },
            },
          ],
        },
      ],
      ['/v1/images/edits', { prompt: 'x', images: [{ file_id: id }] }],
    ];
    for (const [path, body] of tries) {
      await refusal('other', path, { model: 'openai/gpt-4.1', ...body }, id);
    }
  });

  test('does not get past the check by a key that is escaped or stands twice', async () => {
    const { id } = await upload();
    const own = JSON.stringify(chatWith('file-other'));
    const tries = [
      own.replace('"file_id"', '"file\\u005fid"'),
      own.replace('"file_id"', `"file_id":"${id}","file_id"`),
      own.replace('"file_id"', `"\\u0066ile_id":"${id}","file_id"`),
    ];
    for (const body of tries) {
      const before = openai.requests.length;
      const answer = await post('other', CHAT, body);
      assert.equal(answer.status, 400, body);
      assert.match(await answer.text(), /file_id/);
      assert.equal(openai.requests.length, before);
    }
  });
});

test('a file that the gateway never saw is for those who may use all of its provider', async () => {
  assert.equal((await post('acme', CHAT, chatWith('file-of-the-operator'))).status, 200);
  await refusal('limited', CHAT, chatWith('file-of-the-operator'), 'file-of-the-operator');
  await refusal('limited', '/v1/messages', messagesWith('file_011'), 'file_011');
});

test('what only looks like an id is none: texts, schemas, arguments of tools', async () => {
  const schema = { type: 'object', properties: { file_id: { type: 'string' }, id: { type: 'string' } } };
  const bodies: [string, object][] = [
    [
      CHAT,
      {
        model: 'openai/gpt-4.1',
        messages: [{ role: 'user', content: 'say {"file_id":"file-none"} d\\u0061' }],
        tools: [{ type: 'function', function: { name: 'read', parameters: schema } }],
        metadata: { file_id: 'file-none' },
        store: true,
      },
    ],
    [
      '/v1/responses',
      {
        model: 'openai/gpt-4.1',
        input: [
          { role: 'user', content: 'say ok' },
          {
            type: 'message',
            id: 'msg_1',
            role: 'assistant',
            status: 'completed',
            content: [
              {
                type: 'output_text',
                text: 'ok',
                annotations: [{ type: 'file_citation', file_id: 'file-none', filename: 'a', index: 0 }],
              },
            ],
          },
          { role: 'user', content: 'say ok' },
        ],
      },
    ],
    [
      '/v1/messages',
      {
        model: 'claude',
        max_tokens: 50,
        tools: [{ name: 'read', input_schema: schema }],
        messages: [
          { role: 'user', content: 'say ok' },
          {
            role: 'assistant',
            content: [{ type: 'tool_use', id: 'toolu_1', name: 'read', input: { file_id: 'file-none' } }],
          },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' }] },
        ],
      },
    ],
    [
      GENERATE,
      {
        contents: [
          { role: 'user', parts: [{ text: 'say ok' }] },
          { role: 'model', parts: [{ functionCall: { name: 'read', args: { fileUri: 'files/none' } } }] },
          { role: 'user', parts: [{ functionResponse: { name: 'read', response: { fileUri: 'files/x' } } }] },
        ],
      },
    ],
  ];
  for (const [path, body] of bodies) {
    const answer = await post('limited', path, body);
    assert.equal(answer.status, 200, `${path} ${await answer.text()}`);
  }
});

/** That a request is refused as no JSON, and no provider asked: to its lenient parser it would name something. */
async function assertNoJson(path: string, body: string): Promise<void> {
  const before = gemini.requests.length;
  const answer = await post('limited', path, body);
  assert.equal(answer.status, 400, body);
  assert.match(await answer.text(), /not valid JSON/, body);
  assert.equal(gemini.requests.length, before, body);
}

test('what only a lenient parser takes for JSON is relayed to nobody', async () => {
  const uri = 'https://generativelanguage.googleapis.com/v1beta/files/of-other';
  const COUNT = '/v1beta/models/flash:countTokens';
  const bodies = [
    `{"contents":[{'role':'user','parts':[{'fileData':{'fileUri':'${uri}'}}]}]}`,
    `{"contents":[{role:"user",parts:[{fileData:{fileUri:"${uri}"}}]}]}`,
    `{"contents":[{"parts":[{"fileData":{"fileUr\\i":"${uri}"}}]}]}`,
    `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{'fileSearch':{'fileSearchStoreNames':['fileSearchStores/1']}}]}`,
    `{"generateContentRequest":{'model':'models/gemini-2.5-pro',"contents":[{"parts":[{"text":"x"}]}]}}`,
    `{"generateContentRequest":{"model":"models/gemini-2.5-pro","contents":[{"parts":[{"text":"x"},]}]}}`,
  ];
  for (const body of bodies.slice(0, 4)) await assertNoJson(GENERATE, body);
  for (const body of bodies) await assertNoJson(COUNT, body);
});

describe('files of Google and AWS', () => {
  const HELD = [
    'https://generativelanguage.googleapis.com/v1beta/files/abc',
    'files/abc',
    'gs://bucket/a.pdf',
  ];
  for (const uri of HELD) {
    test(`${uri} needs all of the provider`, async () => {
      const refused = (await refusal('limited', GENERATE, geminiWith(uri), uri)) as { text: string };
      assert.match(refused.text, /PERMISSION_DENIED/);
      assert.equal((await post('acme', GENERATE, geminiWith(uri))).status, 200);
    });
  }

  test('in another dialect, too', async () => {
    for (const url of ['gs://bucket/a.png', 'https://generativelanguage.googleapis.com/v1beta/files/abc']) {
      const content = [
        { type: 'text', text: 'say ok' },
        { type: 'image_url', image_url: { url } },
      ];
      const body = { model: 'gemini/gemini-2.5-flash', messages: [{ role: 'user', content }] };
      const escaped = JSON.stringify(body).replaceAll('/', '\\/');
      await refusal('limited', CHAT, body, url);
      await refusal('limited', CHAT, escaped, url);
      assert.equal((await post('acme', CHAT, body)).status, 200);
    }
  });

  test('buckets that Bedrock reads, too', async () => {
    const url = 's3://bucket/a.png';
    const content = [
      { type: 'text', text: 'say ok' },
      { type: 'image_url', image_url: { url } },
    ];
    const body = { model: `bedrock/${NOVA}`, messages: [{ role: 'user', content }] };
    await refusal('limited', CHAT, body, url);
    const answer = await post('acme', CHAT, body);
    assert.equal(answer.status, 200, await answer.text());
  });

  test('public addresses are nobody’s', async () => {
    for (const uri of ['https://www.youtube.com/watch?v=1', 'https://example.com/a.pdf']) {
      assert.equal((await post('limited', GENERATE, geminiWith(uri))).status, 200);
    }
  });

  test('a cached content needs all of the provider', async () => {
    const cachedContent = 'cachedContents/abc';
    const body = { contents: [{ role: 'user', parts: [{ text: 'say ok' }] }], cachedContent };
    await refusal('limited', GENERATE, body, cachedContent);
  });
});

describe('what OpenAI keeps of responses', () => {
  const MODEL = 'openai/gpt-4.1';

  test('vector stores and prompts need all of the provider', async () => {
    const tools = [{ type: 'file_search', vector_store_ids: ['vs_1'] }];
    await refusal('limited', '/v1/responses', { model: MODEL, input: 'say ok', tools }, 'vs_1');
    await refusal(
      'limited',
      '/v1/responses',
      { model: MODEL, input: 'say ok', prompt: { id: 'pmpt_1' } },
      'pmpt_1',
    );
    const prompt = { id: 'pmpt_1' };
    assert.equal(
      (await post('acme', '/v1/responses', { model: MODEL, input: 'say ok', prompt })).status,
      200,
    );
  });

  for (const conversation of ['conv_1', { id: 'conv_2' }]) {
    test(`a conversation is its first tenant’s: ${JSON.stringify(conversation)}`, async () => {
      const body = { model: MODEL, input: 'say ok', conversation };
      const id = typeof conversation === 'string' ? conversation : conversation.id;
      await refusal('limited', '/v1/responses', body, id);
      assert.equal((await post('acme', '/v1/responses', body)).status, 200);
      await refusal('other', '/v1/responses', body, id);
      assert.equal((await post('acme', '/v1/responses', body)).status, 200);
    });
  }

  for (const stream of [false, true]) {
    test(`an item can be named by the tenant whose answer held it, and by no other, ${stream ? 'streamed' : 'whole'}`, async () => {
      const limited = clientOf('limited');
      const input = 'say red';
      let id = '';
      if (stream) {
        for await (const event of await limited.responses.create({ model: MODEL, input, stream })) {
          if (event.type === 'response.completed') id = event.response.output[0]?.id ?? '';
        }
      } else id = (await limited.responses.create({ model: MODEL, input })).output[0]?.id ?? '';
      const asks = (reference: object) => ({
        model: MODEL,
        input: [{ role: 'user', content: 'say red' }, reference, { role: 'user', content: 'say blue' }],
      });
      const answer = await post('limited', '/v1/responses', asks({ type: 'item_reference', id }));
      assert.equal(answer.status, 200, await answer.text());
      // Its type may be left out.
      for (const reference of [{ type: 'item_reference', id }, { id }]) {
        const theirs = await refusal('acme', '/v1/responses', asks(reference), id);
        const nobodys = asks({ ...reference, id: 'msg_0000' });
        assert.deepEqual(theirs, await refusal('acme', '/v1/responses', nobodys, 'msg_0000'));
      }
    });
  }

  test('a response whose prompt is to be compared is one that the tenant had', async () => {
    const asks = (comparison_response_id: string | null) => ({
      model: MODEL,
      input: 'say red',
      prompt_cache_options: { comparison_response_id },
    });
    const { id } = await clientOf('limited').responses.create({ model: MODEL, input: 'say red' });
    const own = await post('limited', '/v1/responses', asks(id));
    assert.equal(own.status, 200, await own.text());
    assert.equal((await post('limited', '/v1/responses', asks(null))).status, 200);
    const theirs = await refusal('acme', '/v1/responses', asks(id), id);
    assert.deepEqual(theirs, await refusal('acme', '/v1/responses', asks('resp_0000'), 'resp_0000'));
  });

  test('reasoning without its encrypted form is looked up by its id, and is an item, too', async () => {
    const input = [
      { role: 'user', content: 'say red' },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { role: 'user', content: 'say blue' },
    ];
    await refusal('acme', '/v1/responses', { model: MODEL, input }, 'rs_1');
    // No provider of another dialect looks anything up.
    assert.equal((await post('acme', '/v1/responses', { model: 'claude', input })).status, 200);
  });
});
