import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { boundInput, countInput } from '../../src/gateway/count-input.ts';
import { countText } from '../../src/tokens/encoders.ts';
import { TokenCounter } from '../../src/tokens/token-counter.ts';

const counter = new TokenCounter();
after(() => counter.stop());

const SENTENCES = 'The committee decided that the proposal should be discussed again next week. '.repeat(60);
const NEEDED = countText('o200k_base', SENTENCES);
const base64 = (text: string) => Buffer.from(text).toString('base64');

const MODELS: Record<CallerDialectName, string> = {
  chat: 'gpt-4o',
  responses: 'gpt-4o',
  messages: 'claude-opus-4-5',
  gemini: 'gemini-2.5-pro',
};

function callOf(dialect: CallerDialectName, body: object | string, operation: 'generate' | 'embed') {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return { door: { dialect: DIALECTS[dialect], operation }, body: bytes, model: MODELS[dialect] };
}

const bound = (
  dialect: CallerDialectName,
  body: object | string,
  operation: 'generate' | 'embed' = 'generate',
) => boundInput(counter, callOf(dialect, body, operation), MODELS[dialect]);

const asked = { role: 'user', content: 'Hi' };
const chatWith = (fields: object) => ({ model: 'm', messages: [asked], ...fields });
const chatTool = (schema: object) =>
  chatWith({
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', ...schema } } }],
  });
const chatField = (schema: object) => chatTool({ properties: { a: schema } });
const answered = (fields: object) => ({
  model: 'm',
  messages: [asked, { role: 'assistant', content: 'Well', ...fields }, asked],
});
const chatFile = (type: string, data: string) =>
  chatWith({
    messages: [
      {
        role: 'user',
        content: [{ type: 'file', file: { filename: 'f', file_data: `data:${type};base64,${data}` } }],
      },
    ],
  });
const responsesWith = (fields: object) => ({ model: 'm', input: 'Hi', ...fields });
const messagesWith = (fields: object) => ({ model: 'm', max_tokens: 9, messages: [asked], ...fields });
const claudeSaid = (block: object) =>
  messagesWith({
    messages: [asked, { role: 'assistant', content: [block, { type: 'text', text: 'Well' }] }, asked],
  });
const documentWith = (fields: object) =>
  messagesWith({
    messages: [
      {
        role: 'user',
        content: [
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' }, ...fields },
        ],
      },
    ],
  });
const geminiWith = (fields: object) => ({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], ...fields });
const geminiFunction = (fields: object) =>
  geminiWith({ tools: [{ functionDeclarations: [{ name: 'f', ...fields }] }] });

/** Places of a text in a request, most of which stand for nothing in the count that records get. */
const PLACES: readonly [where: string, dialect: CallerDialectName, body: object][] = [
  ['a message', 'chat', chatWith({ messages: [{ role: 'user', content: SENTENCES }] })],
  ['documents for templates', 'chat', chatWith({ documents: [{ title: 'a', text: SENTENCES }] })],
  ['any field of a message', 'chat', chatWith({ messages: [{ ...asked, notes: SENTENCES }] })],
  ['reasoning_content', 'chat', answered({ reasoning_content: SENTENCES })],
  ['reasoning_details', 'chat', answered({ reasoning_details: [{ type: 'x', text: SENTENCES }] })],
  ['prediction', 'chat', chatWith({ prediction: { type: 'content', content: SENTENCES } })],
  ['description of items', 'chat', chatField({ type: 'array', items: { description: SENTENCES } })],
  ['description in anyOf', 'chat', chatField({ anyOf: [{ type: 'string', description: SENTENCES }] })],
  ['default', 'chat', chatField({ type: 'string', default: SENTENCES })],
  ['pattern', 'chat', chatField({ type: 'string', pattern: SENTENCES })],
  ['title', 'chat', chatField({ type: 'string', title: SENTENCES })],
  ['examples', 'chat', chatField({ type: 'string', examples: [SENTENCES] })],
  ['properties of what is no object', 'chat', chatField({ properties: { b: { description: SENTENCES } } })],
  ['$defs', 'chat', chatTool({ $defs: { a: { description: SENTENCES } } })],
  ['description of the root', 'chat', chatTool({ description: SENTENCES })],
  [
    'grammar of a custom tool',
    'chat',
    chatWith({
      tools: [
        {
          type: 'custom',
          custom: {
            name: 'f',
            format: { type: 'grammar', grammar: { syntax: 'lark', definition: SENTENCES } },
          },
        },
      ],
    }),
  ],
  ['a text that is called something else', 'chat', chatFile('application/octet-stream', base64(SENTENCES))],
  ['a script', 'chat', chatFile('application/javascript', base64(SENTENCES))],
  ['a text that is called PDF', 'chat', chatFile('application/pdf', base64(SENTENCES))],
  [
    'a packed file',
    'chat',
    chatFile('application/zip', Buffer.from(SENTENCES, 'utf16le').toString('base64')),
  ],
  ['variables', 'responses', responsesWith({ prompt: { id: 'p', variables: { a: SENTENCES } } })],
  [
    'encrypted reasoning',
    'responses',
    responsesWith({ input: [{ type: 'reasoning', id: 'r', summary: [], encrypted_content: SENTENCES }] }),
  ],
  ['thoughts', 'messages', claudeSaid({ type: 'thinking', thinking: SENTENCES, signature: 's' })],
  ['a signature', 'messages', claudeSaid({ type: 'thinking', thinking: '', signature: SENTENCES })],
  ['redacted thoughts', 'messages', claudeSaid({ type: 'redacted_thinking', data: SENTENCES })],
  ["a document's context", 'messages', documentWith({ context: SENTENCES })],
  ["a document's title", 'messages', documentWith({ title: SENTENCES })],
  [
    'examples of a tool',
    'messages',
    messagesWith({
      tools: [{ name: 'f', input_schema: { type: 'object' }, input_examples: [{ a: SENTENCES }] }],
    }),
  ],
  [
    'responseSchema',
    'gemini',
    geminiWith({
      generationConfig: {
        responseMimeType: 'application/json',
        responseSchema: { type: 'OBJECT', description: SENTENCES },
      },
    }),
  ],
  [
    "a function's response",
    'gemini',
    geminiFunction({ response: { type: 'OBJECT', description: SENTENCES } }),
  ],
  [
    'a file of rich text',
    'gemini',
    geminiWith({
      contents: [
        { role: 'user', parts: [{ inlineData: { mimeType: 'application/rtf', data: base64(SENTENCES) } }] },
      ],
    }),
  ],
];

test('wherever a text stands in a request, it is reserved for', async (t) => {
  for (const [where, dialect, body] of PLACES) {
    await t.test(`${dialect}: ${where}`, async () => {
      const tokens = await bound(dialect, body);
      assert.ok(tokens >= NEEDED * 0.98, `${tokens} of ${NEEDED} tokens`);
    });
  }
});

test('what a count understands is reserved for as it is counted', async () => {
  const schema = { type: 'object', properties: { city: { type: 'string', description: 'Which city' } } };
  const parameters = { ...schema, required: ['city'], additionalProperties: false };
  const called = { id: 'c', type: 'function', function: { name: 'f', arguments: '{"city":"Rome"}' } };
  const plain: [CallerDialectName, object][] = [
    ['chat', { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: SENTENCES }] }],
    ['chat', chatWith({ tools: [{ type: 'function', function: { name: 'f', parameters } }] })],
    ['responses', { model: 'm', instructions: 'Be brief.', input: SENTENCES, max_output_tokens: 9 }],
    ['messages', { model: 'm', max_tokens: 9, system: SENTENCES, messages: [asked] }],
    ['gemini', { ...geminiWith({}), systemInstruction: { parts: [{ text: SENTENCES }] } }],
  ];
  for (const [dialect, body] of plain) {
    const counted = await countInput(counter, callOf(dialect, body, 'generate'), MODELS[dialect]);
    // The names of what is required, once more.
    assert.ok((await bound(dialect, body)) - counted <= 4, JSON.stringify(body));
  }
  const turns = {
    model: 'm',
    messages: [
      asked,
      { role: 'assistant', tool_calls: [called] },
      { role: 'tool', tool_call_id: 'c', content: SENTENCES },
    ],
  };
  const counted = await countInput(counter, callOf('chat', turns, 'generate'), MODELS.chat);
  assert.ok((await bound('chat', turns)) - counted < 20);
});

test('of what nobody knows each byte is a token', async () => {
  const anyValue = fc.jsonValue({ maxDepth: 4 });
  await fc.assert(
    fc.asyncProperty(anyValue, async (value) => {
      const bytes = Buffer.byteLength(JSON.stringify(value));
      assert.ok((await bound('chat', chatWith({ nobody_knows: value }))) >= bytes);
    }),
    { numRuns: 30 },
  );
});

test('a field that stands twice is not counted: which of the two a provider reads, nobody knows', async () => {
  const body = `{"model":"m","messages":[{"role":"user","content":"${SENTENCES}","content":"Hi"}]}`;
  await assert.rejects(bound('chat', body), /stands twice/);
});

test('texts to embed are counted, and what stands beside them is a token a byte', async () => {
  const plain = await bound('chat', { model: 'm', input: [SENTENCES, 'Hi'] }, 'embed');
  assert.equal(plain, NEEDED + 1);
  const told = await bound('chat', { model: 'm', input: ['Hi'], instruction: SENTENCES }, 'embed');
  assert.ok(told >= SENTENCES.length);
  assert.equal(await bound('chat', { model: 'm', input: [[1, 2, 3]] }, 'embed'), 3);
});
