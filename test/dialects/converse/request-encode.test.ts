import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message, Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import type { converse } from '../../../src/dialects/converse/index.ts';
import { converseTraits } from '../../../src/dialects/converse/model-traits.ts';
import type { CallerDialect } from '../../../src/dialects/dialect.ts';
import { PIXEL_PNG } from '../../support/pixel.ts';
import { assistant, call, LOOK, message, result, user } from '../messages/conversations.ts';
import { CLAUDE, CLAUDE_4, encode, GPT_OSS, LLAMA, MISTRAL_LARGE, NOVA, NOVA_2 } from './conversations.ts';

type IsCaller = typeof converse extends CallerDialect ? true : false;

function messagesOf(list: Message[], model = CLAUDE): unknown {
  return encode({ messages: list }, model).body['messages'];
}

function refusal(run: () => unknown): GatewayError {
  try {
    run();
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('no door can speak it: the type lacks the side that faces callers', () => {
  const isCaller: IsCaller = false;
  assert.equal(isCaller, false);
});

test('a minimal request holds the messages and nothing else: the model stands in the path', () => {
  assert.deepEqual(encode(), {
    body: { messages: [{ role: 'user', content: [{ text: 'Hi' }] }] },
    dropped: [],
  });
});

test('system and developer messages are lifted, in order, wherever they stand', () => {
  const { body } = encode({
    messages: [
      message('system', 'A'),
      user('Hi'),
      assistant('Yes'),
      message('developer', 'B'),
      user('Go on'),
    ],
  });
  assert.deepEqual(body['system'], [{ text: 'A' }, { text: 'B' }]);
});

test('messages of one role in a row are one', () => {
  assert.deepEqual(messagesOf([user('A'), user('B'), assistant('C'), assistant('D'), user('E')]), [
    { role: 'user', content: [{ text: 'A' }, { text: 'B' }] },
    { role: 'assistant', content: [{ text: 'C' }, { text: 'D' }] },
    { role: 'user', content: [{ text: 'E' }] },
  ]);
});

test('a conversation that begins with the assistant, or has system messages only, is given a user turn', () => {
  assert.deepEqual((messagesOf([assistant('A'), user('B')]) as JsonObject[])[0], {
    role: 'user',
    content: [{ text: 'Begin.' }],
  });
  assert.deepEqual(messagesOf([message('system', 'A')]), [{ role: 'user', content: [{ text: 'Begin.' }] }]);
});

test('an answer that was begun is gone on from where the model can, else a user turn follows', () => {
  const list = [user('Hi'), assistant('I think ')];
  assert.deepEqual((messagesOf(list, NOVA) as JsonObject[]).at(-1), {
    role: 'assistant',
    content: [{ text: 'I think' }],
  });
  assert.deepEqual((messagesOf(list, LLAMA) as JsonObject[]).at(-1), {
    role: 'user',
    content: [{ text: 'Continue.' }],
  });
});

test('empty texts are left out, and messages that hold nothing else', () => {
  assert.deepEqual(messagesOf([user('Hi', ' '), assistant(''), user('\n', 'Go')]), [
    { role: 'user', content: [{ text: 'Hi' }, { text: 'Go' }] },
  ]);
});

test('all results of a turn stand in one user message, first, before words', () => {
  const list = [
    user('Hi'),
    assistant(call('a', '{"x":1}'), call('b', '')),
    result('b', 'two'),
    result('a', 'one'),
    user('And?'),
  ];
  const { body } = encode({ messages: list, tools: [LOOK] });
  assert.deepEqual((body['messages'] as JsonObject[]).slice(1), [
    {
      role: 'assistant',
      content: [
        { toolUse: { toolUseId: 'a', name: 'look', input: { x: 1 } } },
        { toolUse: { toolUseId: 'b', name: 'look', input: {} } },
      ],
    },
    {
      role: 'user',
      content: [
        { toolResult: { toolUseId: 'b', content: [{ text: 'two' }] } },
        { toolResult: { toolUseId: 'a', content: [{ text: 'one' }] } },
        { text: 'And?' },
      ],
    },
  ]);
});

test('arguments that are no JSON object are wrapped; ids and names are made legal, and stay pairs', () => {
  const long = `call:${'x'.repeat(80)}`;
  const { body } = encode({
    messages: [user('Hi'), assistant(call(long, '{"x":', 'no such.tool')), result(long)],
    tools: [LOOK],
  });
  const [, called, answered] = body['messages'] as { content: Record<string, JsonObject>[] }[];
  const toolUse = called?.content[0]?.['toolUse'] ?? {};
  assert.match(String(toolUse['toolUseId']), /^[a-zA-Z0-9_-]{1,64}$/);
  assert.equal(answered?.content[0]?.['toolResult']?.['toolUseId'], toolUse['toolUseId']);
  assert.equal(toolUse['name'], 'no_such_tool');
  assert.deepEqual(toolUse['input'], { INVALID_JSON: '{"x":' });
});

test('a result without output has words, a failed one its status where the model takes it', () => {
  const failed = (model: string): unknown => {
    const part: Part = { type: 'tool_result', callId: 'a', parts: [], isError: true };
    const { body, dropped } = encode(
      { messages: [user('Hi'), assistant(call('a')), { role: 'tool', parts: [part] }], tools: [LOOK] },
      model,
    );
    return [(body['messages'] as { content: JsonObject[] }[])[2]?.content, dropped];
  };
  const content = [{ text: 'The tool gave no output.' }];
  assert.deepEqual(failed(CLAUDE), [[{ toolResult: { toolUseId: 'a', content, status: 'error' } }], []]);
  assert.deepEqual(failed(GPT_OSS), [
    [{ toolResult: { toolUseId: 'a', content } }],
    ['messages[2].is_error'],
  ]);
});

const FILE = (mediaType: string, filename?: string): Part => ({
  type: 'file',
  source: { kind: 'data', mediaType, base64: 'eA==' },
  ...(filename === undefined ? {} : { filename }),
});

test('media are bytes with their format', () => {
  const image: Part = { type: 'image', source: { kind: 'data', mediaType: 'image/jpg', base64: 'eA==' } };
  const audio: Part = { type: 'audio', source: { kind: 'data', mediaType: 'audio/wav', base64: 'eA==' } };
  const s3: Part = { type: 'image', source: { kind: 'url', url: 's3://bucket/cat.JPG' } };
  const [{ content } = { content: [] }] = messagesOf([
    user('x', image, audio, FILE('video/mp4'), FILE('image/png'), s3),
  ]) as { content: JsonObject[] }[];
  const source = { bytes: 'eA==' };
  assert.deepEqual(content.slice(1), [
    { image: { format: 'jpeg', source } },
    { audio: { format: 'wav', source } },
    { video: { format: 'mp4', source } },
    { image: { format: 'png', source } },
    { image: { format: 'jpeg', source: { s3Location: { uri: 's3://bucket/cat.JPG' } } } },
  ]);
});

test('documents have legal names, each once in the whole conversation, and words beside them', () => {
  const list = [
    user(FILE('application/pdf', "John's  report_1.pdf"), FILE('text/csv', "john's report 1.csv")),
    assistant('ok'),
    user('x', FILE('application/pdf', 'Übersicht.pdf'), FILE('text/plain'), FILE('text/x-python', '分.py')),
  ];
  const turns = messagesOf(list) as { content: Record<string, JsonObject>[] }[];
  const documents = turns.flatMap(({ content }) =>
    content.flatMap(({ document }) => (document ? [document] : [])),
  );
  assert.deepEqual(
    documents.map(({ name, format }) => [name, format]),
    [
      ['John-s report-1', 'pdf'],
      ['john-s report 1', 'csv'],
      ['bersicht', 'pdf'],
      ['Document 4', 'txt'],
      ['Document 5', 'txt'],
    ],
  );
  assert.deepEqual(turns[0]?.content.at(-1), { text: 'Read the attached document.' });
  const same = messagesOf([user('x', FILE('text/plain', 'a.txt'), FILE('text/plain', 'A.txt'))]);
  assert.deepEqual(
    (same as { content: Record<string, JsonObject>[] }[])[0]?.content
      .slice(1)
      .map(({ document }) => document?.['name']),
    ['a', 'A (2)'],
  );
});

const REFUSED: [what: string, part: Part][] = [
  ['an image by URL', { type: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } }],
  [
    'an image of another type',
    { type: 'image', source: { kind: 'data', mediaType: 'image/tiff', base64: 'eA==' } },
  ],
  ['a file of another type', FILE('application/zip')],
  ['a file by id', { type: 'file', source: { kind: 'fileId', fileId: 'f', dialect: 'chat' } }],
];
for (const [what, part] of REFUSED) {
  test(`${what} is refused with its place`, () => {
    const error = refusal(() => encode({ messages: [user('x', part)] }));
    assert.equal(error.kind, 'invalid_request');
    assert.equal(error.param, 'messages[0].content[1]');
  });
}

test('reasoning goes back where the model can check it, and nowhere else', () => {
  const signed = (dialect: 'converse' | 'messages' | 'gemini'): Part => ({
    type: 'reasoning',
    text: 'hm',
    signature: { dialect, value: 'sig' },
  });
  const sealed = (dialect: 'converse' | 'messages'): Part => ({
    type: 'reasoning',
    text: '',
    encrypted: { dialect, value: 'ZGF0YQ==' },
  });
  const unsigned: Part = { type: 'reasoning', text: 'hm' };
  const blocks = (parts: Part[], model: string): unknown => {
    const turns = messagesOf([user('x'), assistant(...parts, 'A'), user('y')], model) as {
      content: JsonObject[];
    }[];
    return turns[1]?.content.slice(0, -1).map(({ reasoningContent }) => reasoningContent);
  };
  const reasoningText = { text: 'hm', signature: 'sig' };
  assert.deepEqual(blocks([signed('converse'), signed('messages'), signed('gemini'), unsigned], CLAUDE), [
    { reasoningText },
    { reasoningText },
  ]);
  assert.deepEqual(blocks([sealed('converse'), sealed('messages')], CLAUDE), [
    { redactedContent: 'ZGF0YQ==' },
    { redactedContent: Buffer.from('ZGF0YQ==').toString('base64') },
  ]);
  assert.deepEqual(blocks([signed('messages'), signed('converse')], NOVA_2), [{ reasoningText }]);
});

const CACHED: Part = { type: 'text', text: 'A', cacheHint: { ttl: '1h' } };
const CACHED_TOOL = { ...LOOK, cacheHint: {} };
const CACHE_CASES: [model: string, tools: number, rest: number, dropped: string[]][] = [
  [CLAUDE, 1, 2, []],
  [CLAUDE_4, 1, 2, ['cache_control']],
  [NOVA, 0, 2, ['cache_control', 'tools[0].cache_control']],
  [LLAMA, 0, 0, ['cache_control', 'tools[0].cache_control']],
];
for (const [model, tools, rest, dropped] of CACHE_CASES) {
  test(`cache points stand where ${model} takes them`, () => {
    const encoded = encode(
      { messages: [message('system', CACHED), user(CACHED)], tools: [CACHED_TOOL] },
      model,
    );
    const count = (value: unknown): number => JSON.stringify(value).split('"cachePoint"').length - 1;
    assert.equal(count(encoded.body['toolConfig']), tools);
    assert.equal(count([encoded.body['system'], encoded.body['messages']]), rest);
    assert.deepEqual(encoded.dropped, dropped);
    const ttl = JSON.stringify(encoded.body['system']).includes('"ttl":"1h"');
    assert.equal(ttl, model === CLAUDE);
  });
}

test('tools keep their order and their schemas', () => {
  const schema = { properties: { b: {}, a: {} }, type: 'object' };
  const { body } = encode({
    tools: [
      { type: 'function', name: 'z', description: 'Z.', schema },
      { type: 'function', name: 'a', description: '' },
      { type: 'opaque', dialect: 'converse', value: { systemTool: { name: 'nova_grounding' } } },
    ],
  });
  assert.equal(
    JSON.stringify(body['toolConfig']),
    JSON.stringify({
      tools: [
        { toolSpec: { name: 'z', description: 'Z.', inputSchema: { json: schema } } },
        { toolSpec: { name: 'a', inputSchema: { json: { type: 'object', properties: {} } } } },
        { systemTool: { name: 'nova_grounding' } },
      ],
    }),
  );
});

for (const name of ['', 'fairlead_json_output']) {
  test(`a tool named '${name.slice(0, 20)}' is refused in the caller's words`, () => {
    const error = refusal(() => encode({ tools: [LOOK, { type: 'function', name }] }));
    assert.equal(error.param, 'tools[1].function.name');
  });
}

const CHOICES: [
  choice: Parameters<typeof encode>[0],
  model: string,
  toolChoice: unknown,
  dropped: string[],
][] = [
  [{ toolChoice: { type: 'auto' } }, LLAMA, { auto: {} }, []],
  [{ toolChoice: { type: 'required' } }, CLAUDE, { any: {} }, []],
  [{ toolChoice: { type: 'required' } }, LLAMA, { auto: {} }, ['tool_choice']],
  [{ toolChoice: { type: 'tool', name: 'look' } }, NOVA, { tool: { name: 'look' } }, []],
  [{ toolChoice: { type: 'tool', name: 'look' } }, MISTRAL_LARGE, { any: {} }, []],
  [{ toolChoice: { type: 'allowed', mode: 'auto', names: ['look'] } }, CLAUDE, { auto: {} }, []],
  [{ toolChoice: { type: 'allowed', mode: 'required', names: ['look'] } }, CLAUDE, { any: {} }, []],
  [{ parallelToolCalls: false }, CLAUDE, undefined, ['parallel_tool_calls']],
];
for (const [change, model, toolChoice, dropped] of CHOICES) {
  test(`${JSON.stringify(change)} for ${model}`, () => {
    const encoded = encode({ tools: [LOOK], ...change }, model);
    assert.deepEqual((encoded.body['toolConfig'] as JsonObject)['toolChoice'], toolChoice);
    assert.deepEqual(encoded.dropped, dropped);
  });
}

test('the choice of none leaves the tools out, unless the history needs them', () => {
  assert.equal(encode({ tools: [LOOK], toolChoice: { type: 'none' } }).body['toolConfig'], undefined);
  const history = [user('x'), assistant(call('a')), result('a')];
  const { body, dropped } = encode({ messages: history, tools: [LOOK], toolChoice: { type: 'none' } });
  assert.equal((body['toolConfig'] as { tools: unknown[] }).tools.length, 1);
  assert.deepEqual(body['system'], [{ text: 'Answer in words. Do not call a tool.' }]);
  assert.deepEqual(dropped, ['tool_choice']);
});

test('a history with tools and a request without still describes them', () => {
  const history = [user('x'), assistant(call('a'), call('b', '{}', 'find')), result('a'), result('b')];
  const { body } = encode({ messages: history });
  const { tools } = body['toolConfig'] as { tools: { toolSpec: JsonObject }[] };
  assert.deepEqual(
    tools.map(({ toolSpec }) => toolSpec['name']),
    ['look', 'find'],
  );
});

test('a forced call without a tool is refused', () => {
  assert.equal(refusal(() => encode({ toolChoice: { type: 'required' } })).param, 'tool_choice');
});

test('parameters go where the family has them; what it lacks is named', () => {
  const parameters = {
    maxOutputTokens: 10,
    temperature: 1.5,
    topK: 5,
    stop: ['END', ''],
    seed: 1,
    endUser: 'u',
    serviceTier: 'priority',
    n: 1,
  };
  const claude = encode({ parameters });
  assert.deepEqual(claude.body, {
    messages: [{ role: 'user', content: [{ text: 'Hi' }] }],
    inferenceConfig: { maxTokens: 10, temperature: 1, stopSequences: ['END'] },
    additionalModelRequestFields: { top_k: 5 },
    additionalModelResponseFieldPaths: ['/stop_sequence'],
    serviceTier: { type: 'priority' },
  });
  assert.deepEqual(claude.dropped, ['seed', 'user', 'temperature=1', 'stop[1]']);
  assert.deepEqual(encode({ parameters: { stop: ['\n', ''] } }, NOVA).body['inferenceConfig'], {
    stopSequences: ['\n'],
  });
  assert.deepEqual(encode({ parameters: { topK: 5 } }, NOVA).body['additionalModelRequestFields'], {
    inferenceConfig: { topK: 5 },
  });
  assert.deepEqual(encode({ parameters: { topK: 5 } }, LLAMA).dropped, ['top_k']);
  assert.deepEqual(encode({ parameters: { serviceTier: 'scale' } }).dropped, ['service_tier']);
  assert.deepEqual(encode({ parameters: { serviceTier: 'auto' } }), encode());
  assert.equal(refusal(() => encode({ parameters: { n: 2 } })).param, 'n');
});

const REASONING: [effort: string, model: string, fields: unknown, dropped: string[]][] = [
  ['high', GPT_OSS, { reasoning_effort: 'high' }, []],
  ['minimal', 'qwen.qwen3-32b-v1:0', { reasoning_config: 'low' }, ['reasoning_effort=low']],
  ['high', NOVA_2, { reasoningConfig: { type: 'enabled', maxReasoningEffort: 'high' } }, []],
  ['none', NOVA_2, undefined, []],
  ['none', GPT_OSS, undefined, ['reasoning_effort']],
  ['low', LLAMA, undefined, ['reasoning_effort']],
  ['low', CLAUDE, { thinking: { type: 'enabled', budget_tokens: 4096 } }, []],
  ['heroic', GPT_OSS, undefined, ['reasoning_effort']],
];
for (const [effort, model, fields, dropped] of REASONING) {
  test(`effort '${effort}' for ${model}`, () => {
    const encoded = encode({ reasoning: { effort } }, model);
    assert.deepEqual(encoded.body['additionalModelRequestFields'], fields);
    assert.deepEqual(encoded.dropped, dropped);
  });
}

test('Nova takes no limit with its highest effort, so that is lowered and named', () => {
  const { body, dropped } = encode(
    { reasoning: { effort: 'high' }, parameters: { maxOutputTokens: 9 } },
    NOVA_2,
  );
  assert.deepEqual(body['additionalModelRequestFields'], {
    reasoningConfig: { type: 'enabled', maxReasoningEffort: 'medium' },
  });
  assert.deepEqual(dropped, ['reasoning_effort=medium']);
});

test('adaptive thinking and effort of Claude stand where Converse has them', () => {
  const { body } = encode({ reasoning: { effort: 'high' } }, 'us.anthropic.claude-opus-4-7');
  assert.deepEqual(body['additionalModelRequestFields'], {
    thinking: { type: 'adaptive', display: 'summarized' },
  });
  assert.deepEqual(body['outputConfig'], { effort: 'high' });
});

const SCHEMA: JsonObject = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
};
const FORMAT = {
  responseFormat: { type: 'json_schema', name: 'answer', description: 'D.', schema: SCHEMA },
} as const;

test('a JSON schema is a text format where the model has it, with the schema as a string', () => {
  const { textFormat } = encode(FORMAT).body['outputConfig'] as JsonObject;
  const { type, structure } = textFormat as { type: string; structure: { jsonSchema: JsonObject } };
  assert.equal(type, 'json_schema');
  assert.equal(structure.jsonSchema['name'], 'answer');
  assert.equal(structure.jsonSchema['description'], 'D.');
  assert.deepEqual(JSON.parse(String(structure.jsonSchema['schema'])), SCHEMA);
});

test('else it is a forced tool, any of them where the caller has tools too', () => {
  const { body } = encode(FORMAT, CLAUDE_4);
  assert.deepEqual(body['toolConfig'], {
    tools: [
      {
        toolSpec: {
          name: 'fairlead_json_output',
          description: 'Gives the answer. D.',
          inputSchema: { json: SCHEMA },
        },
      },
    ],
    toolChoice: { tool: { name: 'fairlead_json_output' } },
  });
  const beside = encode({ ...FORMAT, tools: [LOOK] }, CLAUDE_4).body['toolConfig'] as JsonObject;
  assert.deepEqual(beside['toolChoice'], { any: {} });
});

test('and where no tool can be forced the model is told the schema, and the caller that it is no more', () => {
  const { body, dropped } = encode(FORMAT, LLAMA);
  assert.match(JSON.stringify(body['system']), /valid against this JSON Schema/);
  assert.deepEqual(dropped, ['response_format']);
});

test("Bedrock's own fields pass from a caller of any dialect; other unknown ones are named", () => {
  const guardrailConfig = { guardrailIdentifier: 'g', guardrailVersion: '1' };
  const { body, dropped } = encode({
    parameters: { topK: 3 },
    extra: {
      dialect: 'chat',
      fields: {
        guardrailConfig,
        performanceConfig: { latency: 'optimized' },
        additionalModelRequestFields: { anthropic_beta: ['x'] },
        store: true,
      },
    },
  });
  assert.deepEqual(body['guardrailConfig'], guardrailConfig);
  assert.deepEqual(body['performanceConfig'], { latency: 'optimized' });
  assert.deepEqual(body['additionalModelRequestFields'], { anthropic_beta: ['x'], top_k: 3 });
  assert.deepEqual(dropped, ['store']);
});

test('parts of other dialects are left out and named', () => {
  const opaque: Part = { type: 'opaque', dialect: 'messages', value: { type: 'server_tool_use' } };
  const { dropped } = encode({
    messages: [
      user('x'),
      { role: 'assistant', parts: [{ type: 'text', text: 'So' }, opaque] },
      { ...user('y'), name: 'Ann' },
    ],
    tools: [{ type: 'opaque', dialect: 'messages', value: { type: 'web_search_20250305' } }],
  });
  assert.deepEqual(dropped, ['messages[1].content[1]', 'messages[2].name', 'tools[0]']);
});

test('a custom tool is a function with one text; what Bedrock ran comes back as it was', () => {
  const { body } = encode({
    tools: [{ type: 'custom', name: 'patch' }],
    toolChoice: { type: 'tool', name: 'patch' },
  });
  assert.deepEqual((body['toolConfig'] as JsonObject)['toolChoice'], {
    tool: { name: 'fairlead_custom_patch' },
  });
  const value = { toolUse: { toolUseId: 's', name: 'nova', input: {}, type: 'server_tool_use' } };
  const turns = messagesOf([
    user('x'),
    assistant({ type: 'opaque', dialect: 'converse', value }, 'A'),
    user('y'),
  ]);
  assert.deepEqual((turns as { content: JsonObject[] }[])[1]?.content[0], value);
});

test('a model is known by its id, its inference profile and its ARN', () => {
  const name = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
  const traits = converseTraits(name);
  assert.ok(traits.structuredOutputs);
  assert.equal(converseTraits(`us.${name}`), traits);
  assert.equal(converseTraits(`arn:aws:bedrock:us-east-1:1:inference-profile/us.${name}`), traits);
  const unknown = converseTraits('arn:aws:bedrock:us-east-1:1:application-inference-profile/abc');
  assert.deepEqual(unknown.forcedChoices, []);
});

test('an image in a tool result stays one', () => {
  const part: Part = {
    type: 'tool_result',
    callId: 'a',
    parts: [{ type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: PIXEL_PNG } }],
    cacheHint: {},
  };
  const turns = messagesOf([user('x'), assistant(call('a')), { role: 'tool', parts: [part] }]);
  assert.deepEqual((turns as { content: JsonObject[] }[])[2]?.content, [
    { toolResult: { toolUseId: 'a', content: [{ image: { format: 'png', source: { bytes: PIXEL_PNG } } }] } },
    { cachePoint: { type: 'default' } },
  ]);
});

test('fields of the Responses API that the gateway honours itself are not named; one that only OpenAI holds is refused', () => {
  const encodeWith = (fields: JsonObject) =>
    encode({ dialect: 'responses', extra: { dialect: 'responses', fields } });
  const kept = { store: false, include: ['reasoning.encrypted_content'], truncation: 'disabled' };
  assert.deepEqual(encodeWith(kept).dropped, []);
  const { body, dropped } = encodeWith({ truncation: 'auto', guardrailConfig: { guardrailIdentifier: 'g' } });
  assert.deepEqual(dropped, ['truncation']);
  assert.deepEqual(body['guardrailConfig'], { guardrailIdentifier: 'g' });
  assert.equal(refusal(() => encodeWith({ conversation: 'conv_1' })).param, 'conversation');
});
