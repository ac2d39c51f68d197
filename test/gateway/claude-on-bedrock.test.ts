import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

/** What callers of the Messages API say to Claude that Converse has words for, or room beside them. */
const MODEL = 'aws/us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const NOVA = 'aws/us.amazon.nova-pro-v1:0';

const fake = await startFakeBedrock();
const gateway = await startGateway({
  providers: {
    aws: {
      adapter: 'bedrock',
      baseUrl: fake.url,
      region: 'us-east-1',
      accounts: [{ name: 'main', apiKey: fake.apiKey }],
    },
  },
});
after(async () => {
  await gateway.stop();
  await fake.close();
});
const client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });

type Content = Anthropic.Beta.BetaContentBlockParam[];
type Create = Partial<Omit<Anthropic.Beta.MessageCreateParamsNonStreaming, 'stream'>>;

async function ask(content: Content | string, change: Create = {}) {
  const params = { model: MODEL, max_tokens: 100, messages: [{ role: 'user' as const, content }], ...change };
  const { data, response } = await client.beta.messages.create(params).withResponse();
  const dropped = response.headers.get('x-fairlead-dropped');
  return { content: data.content, dropped, sent: sentBody() };
}

function sentBody(): JsonObject {
  const body = fake.requests.at(-1)?.body;
  assert.ok(isObject(body));
  return body;
}

function blocksOf({ messages }: JsonObject): JsonObject[] {
  const all = Array.isArray(messages) ? messages : [];
  return all
    .flatMap((message) => (isObject(message) && Array.isArray(message['content']) ? message['content'] : []))
    .filter(isObject);
}

const TEXT = { type: 'text' as const, media_type: 'text/plain' as const, data: 'The moon is round.' };
const PDF = {
  type: 'base64' as const,
  media_type: 'application/pdf' as const,
  data: Buffer.from('%PDF-1.4').toString('base64'),
};
const CITED = { citations: { enabled: true } };
const FOUND = {
  type: 'search_result' as const,
  source: 'https://moon.example',
  title: 'Moon',
  content: [{ type: 'text' as const, text: 'It is round.' }],
};
const say = { type: 'text' as const, text: 'say round' };

describe('documents and what was found', () => {
  test('go to Claude with what is known of them, to be cited, and nothing is dropped', async () => {
    const { sent, dropped } = await ask([
      { type: 'document', source: TEXT, title: 'My book', context: 'Old.', ...CITED },
      { ...FOUND, ...CITED, cache_control: { type: 'ephemeral' } },
      say,
    ]);
    assert.equal(dropped, null);
    const bytes = Buffer.from(TEXT.data).toString('base64');
    const { type: _, ...found } = FOUND;
    assert.deepEqual(blocksOf(sent), [
      { document: { name: 'My book', format: 'txt', source: { bytes }, context: 'Old.', ...CITED } },
      { searchResult: { ...found, content: [{ text: 'It is round.' }], ...CITED } },
      { cachePoint: { type: 'default' } },
      { text: 'say round' },
    ]);
  });

  test('made of blocks keep them apart', async () => {
    const source = { type: 'content' as const, content: [{ type: 'text' as const, text: 'One' }] };
    const { sent, dropped } = await ask([{ type: 'document', source, title: 'A/B', ...CITED }, say]);
    assert.equal(dropped, null);
    assert.deepEqual(blocksOf(sent)[0], {
      document: { name: 'A-B', source: { content: [{ text: 'One' }] }, ...CITED },
    });
  });

  test('that a tool gave are among them', async () => {
    const call = { type: 'tool_use' as const, id: 'toolu_1', name: 'search', input: {} };
    const result = { type: 'tool_result' as const, tool_use_id: 'toolu_1', content: [FOUND] };
    const { sent } = await ask('', {
      tools: [{ name: 'search', input_schema: { type: 'object' } }],
      messages: [
        { role: 'user', content: 'Search' },
        { role: 'assistant', content: [call] },
        { role: 'user', content: [result] },
      ],
    });
    const last = blocksOf(sent).at(-1);
    assert.partialDeepStrictEqual(last, { toolResult: { content: [{ searchResult: { title: 'Moon' } }] } });
  });

  for (const stream of [false, true]) {
    test(`are cited in Anthropic’s words, ${stream ? 'streamed' : 'whole'}, and the citations go back`, async () => {
      const content: Content = [
        { type: 'document', source: PDF, title: 'Plain' },
        { type: 'document', source: TEXT, title: 'Book', ...CITED },
        { ...FOUND, ...CITED },
        say,
      ];
      const params = { model: MODEL, max_tokens: 100, messages: [{ role: 'user' as const, content }] };
      const message = stream
        ? await client.beta.messages.stream(params).finalMessage()
        : await client.beta.messages.create(params);
      const [block] = message.content;
      assert.ok(block?.type === 'text');
      assert.deepEqual(block.citations, [
        {
          type: 'char_location',
          ...{ cited_text: 'cited', document_index: 1, document_title: 'Book', file_id: null },
          ...{ start_char_index: 0, end_char_index: 2 },
        },
        {
          type: 'search_result_location',
          ...{ cited_text: 'cited', search_result_index: 0, source: 'https://moon.example', title: 'Moon' },
          ...{ start_block_index: 0, end_block_index: 1 },
        },
      ]);
      const second = await ask('', {
        messages: [
          { role: 'user', content },
          { role: 'assistant', content: message.content },
          { role: 'user', content: 'say more' },
        ],
      });
      assert.equal(second.dropped, null);
      const cited = blocksOf(second.sent).find(({ citationsContent }) => citationsContent !== undefined);
      assert.deepEqual(cited, {
        citationsContent: {
          content: [{ text: block.text }],
          citations: [
            {
              title: 'Book',
              sourceContent: [{ text: 'cited' }],
              location: { documentChar: { documentIndex: 1, start: 0, end: 2 } },
            },
            {
              ...{ title: 'Moon', source: 'https://moon.example', sourceContent: [{ text: 'cited' }] },
              location: { searchResultLocation: { searchResultIndex: 0, start: 0, end: 1 } },
            },
          ],
        },
      });
    });
  }

  test('go to other models without, and as text', async () => {
    const { sent, dropped } = await ask(
      [{ type: 'document', source: TEXT, title: 'Book', context: 'Old.', ...CITED }, FOUND, say],
      { model: NOVA },
    );
    assert.equal(dropped, 'messages[0].content[0].context, messages[0].content[0].citations');
    assert.ok(blocksOf(sent).every(({ searchResult }) => searchResult === undefined));
  });
});

const BASH = { type: 'bash_20250124' as const, name: 'bash' as const };
const COMPUTER = {
  type: 'computer_20250124' as const,
  name: 'computer' as const,
  ...{ display_width_px: 1024, display_height_px: 768 },
};
const betas = ['computer-use-2025-01-24'];
const WEATHER = { name: 'weather', input_schema: { type: 'object' as const } };

describe('tools of Anthropic’s own types that the caller runs', () => {
  test('go beside the words of Converse, with the flags that they need', async () => {
    const { sent, content, dropped } = await ask('call bash {"command":"ls"}', {
      tools: [BASH, COMPUTER],
      betas,
    });
    assert.equal(dropped, null);
    assert.deepEqual(sent['additionalModelRequestFields'], {
      tools: [BASH, COMPUTER],
      anthropic_beta: betas,
    });
    assert.equal(sent['toolConfig'], undefined);
    assert.partialDeepStrictEqual(content, [{ type: 'tool_use', name: 'bash', input: { command: 'ls' } }]);
  });

  test('make their round trip, where Converse wants a tool of its own, too', async () => {
    const first = await ask('call bash {"command":"ls"}', { tools: [BASH] });
    const [call] = first.content;
    assert.ok(call?.type === 'tool_use');
    const { content, sent } = await ask('', {
      tools: [BASH],
      messages: [
        { role: 'user', content: 'call bash {"command":"ls"}' },
        { role: 'assistant', content: [call] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'a.txt' }] },
      ],
    });
    assert.deepEqual(content, [{ type: 'text', text: 'Tool said: a.txt' }]);
    assert.notEqual(sent['toolConfig'], undefined);
  });

  test('stand beside tools of the caller’s own, and can be demanded', async () => {
    const tools = [WEATHER, BASH];
    const named = await ask('Hi', { tools, tool_choice: { type: 'tool', name: 'bash' } });
    assert.deepEqual(named.sent['additionalModelRequestFields'], {
      tools: [BASH],
      tool_choice: { type: 'tool', name: 'bash' },
    });
    assert.equal((named.sent['toolConfig'] as JsonObject)['toolChoice'], undefined);
    const any = await ask('Hi', { tools: [BASH], tool_choice: { type: 'any' } });
    assert.partialDeepStrictEqual(any.sent['additionalModelRequestFields'], { tool_choice: { type: 'any' } });
    const none = await ask('Hi', { tools, tool_choice: { type: 'none' } });
    assert.equal(none.sent['additionalModelRequestFields'], undefined);
  });

  test('are the memory tool, too, with the flag that Bedrock wants for it, whether its caller sends it or not', async () => {
    const memory = { type: 'memory_20250818' as const, name: 'memory' as const };
    const flag = 'context-management-2025-06-27';
    for (const asked of [{}, { betas: [flag] }]) {
      const command = '{"command":"view","path":"/memories"}';
      const { sent, content, dropped } = await ask(`call memory ${command}`, { tools: [memory], ...asked });
      assert.equal(dropped, null);
      assert.deepEqual(sent['additionalModelRequestFields'], { tools: [memory], anthropic_beta: [flag] });
      assert.partialDeepStrictEqual(content, [{ type: 'tool_use', name: 'memory' }]);
    }
  });

  test('are functions at other models; those that Anthropic runs are left out and named', async () => {
    const search = { type: 'web_search_20250305' as const, name: 'web_search' as const };
    assert.equal((await ask('Hi', { tools: [WEATHER, search] })).dropped, 'tools[1]');
    const { sent, dropped } = await ask('Hi', { model: NOVA, tools: [WEATHER, BASH] });
    assert.equal(dropped, null);
    assert.match(JSON.stringify(sent['toolConfig']), /"name":"bash".*"command"/);
  });
});

describe('flags of anthropic-beta', () => {
  test('that Bedrock knows go in the body, others are named', async () => {
    const { sent, dropped } = await ask('Hi', { betas: ['context-1m-2025-08-07', 'files-api-2025-04-14'] });
    assert.deepEqual(sent['additionalModelRequestFields'], { anthropic_beta: ['context-1m-2025-08-07'] });
    assert.equal(dropped, 'anthropic-beta: files-api-2025-04-14');
    assert.equal(fake.requests.at(-1)?.headers['anthropic-beta'], undefined);
  });

  test('stand beside those that the caller said there itself', async () => {
    const params = {
      model: MODEL,
      max_tokens: 10,
      messages: [{ role: 'user' as const, content: 'Hi' }],
      betas: ['context-1m-2025-08-07'],
      additionalModelRequestFields: { anthropic_beta: ['computer-use-2025-01-24'] },
    };
    await client.beta.messages.create(params);
    assert.deepEqual(sentBody()['additionalModelRequestFields'], {
      anthropic_beta: ['computer-use-2025-01-24', 'context-1m-2025-08-07'],
    });
  });

  test('are named where the model is none of Anthropic’s', async () => {
    const { sent, dropped } = await ask('Hi', { model: NOVA, betas: ['context-1m-2025-08-07'] });
    assert.equal(sent['additionalModelRequestFields'], undefined);
    assert.equal(dropped, 'anthropic-beta');
  });
});
