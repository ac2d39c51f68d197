import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Choice, Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { EventReader } from '../../../src/upstream/event-reader.ts';
import { anyWords } from '../../support/any-text.ts';
import { scale } from '../../support/scale.ts';

/** Arbitraries give what each side of the dialect can say; ids are what providers make of them. */
const plain = { noNullPrototype: true } as const;
const optional = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, requiredKeys: (keyof T)[]) =>
  fc.record(model, { requiredKeys, noNullPrototype: true });

const words = anyWords({ minLength: 1, maxLength: 12 });
const id = fc.stringMatching(/^[a-z0-9_]{3,12}$/);
const json = fc.dictionary(words, fc.oneof(fc.integer(), words, fc.constant(null)), { maxKeys: 3, ...plain });
const args = json.map((value) => JSON.stringify(value));

const text = fc.record({ type: fc.constant('text'), text: words }, plain);
const image = fc.record(
  {
    type: fc.constant('image_url'),
    image_url: optional({ url: fc.webUrl(), detail: fc.constantFrom('low', 'high') }, ['url']),
  },
  plain,
);
const hinted = text.map((part) => ({ ...part, cache_control: { type: 'ephemeral', ttl: '5m' } }));
const content = fc.oneof(
  fc.string(),
  fc.array(fc.oneof(text, image, hinted), { minLength: 2, maxLength: 4 }),
);
const instructions = fc.oneof(fc.string(), fc.array(fc.oneof(text, hinted), { minLength: 2, maxLength: 3 }));
const call = fc.oneof(
  fc
    .record({ id, name: words, arguments: args }, plain)
    .map(({ id: callId, ...called }) => ({ id: callId, type: 'function', function: called })),
  fc
    .record({ id, name: words, input: fc.string() }, plain)
    .map(({ id: callId, ...called }) => ({ id: callId, type: 'custom', custom: called })),
);
const message: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.record({ role: fc.constantFrom('system', 'developer'), content: instructions }, plain),
  optional({ role: fc.constant('user'), content, name: words }, ['role', 'content']),
  optional(
    {
      role: fc.constant('assistant'),
      content: fc.oneof(instructions, fc.constant(null)),
      refusal: words,
      reasoning_content: words,
      tool_calls: fc.array(call, { minLength: 1, maxLength: 3 }),
      audio: fc.constant({ id: 'audio_1' }),
    },
    ['role', 'content'],
  ),
  fc.record({ role: fc.constant('tool'), tool_call_id: id, content: instructions }, plain),
);
const tool = fc.oneof(
  fc.record(
    {
      type: fc.constant('function'),
      function: optional({ name: words, description: words, parameters: json, strict: fc.boolean() }, [
        'name',
      ]),
    },
    plain,
  ),
  fc.record(
    { type: fc.constant('custom'), custom: optional({ name: words, description: words }, ['name']) },
    plain,
  ),
);
const request: fc.Arbitrary<JsonObject> = optional(
  {
    model: fc.constant('gpt-4o'),
    messages: fc.array(message, { minLength: 1, maxLength: 5 }),
    tools: fc.array(tool, { minLength: 1, maxLength: 3 }),
    tool_choice: fc.constantFrom('auto', 'none', 'required'),
    parallel_tool_calls: fc.boolean(),
    response_format: fc.oneof(
      fc.constant({ type: 'json_object' }),
      optional({ name: words, schema: json, description: words, strict: fc.boolean() }, [
        'name',
        'schema',
      ]).map((json_schema) => ({ type: 'json_schema', json_schema })),
    ),
    reasoning_effort: fc.constantFrom('minimal', 'low', 'high'),
    max_tokens: fc.integer({ min: 1 }),
    temperature: fc.double({ min: 0, max: 2, noNaN: true }),
    stop: fc.array(words, { minLength: 1, maxLength: 4 }),
    n: fc.integer({ min: 1, max: 128 }),
    logprobs: fc.boolean(),
    top_logprobs: fc.nat({ max: 20 }),
    logit_bias: json,
    safety_identifier: words,
    service_tier: words,
    metadata: json,
    prediction: json,
    store: fc.boolean(),
    modalities: fc.array(words),
  },
  ['model', 'messages'],
);

test('property: decoding and encoding a request gives the same request', () => {
  fc.assert(
    fc.property(request, (body) => {
      const encoded = chat.encodeRequest(chat.decodeRequest(body, {}), 'gpt-4o');
      assert.deepEqual(encoded, { body, dropped: [] });
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

const textual = (type: 'text' | 'reasoning' | 'refusal') => words.map((said): Part => ({ type, text: said }));
const toolCall = fc.record(
  {
    type: fc.constant('tool_call' as const),
    id,
    name: words,
    kind: fc.constantFrom('function' as const, 'custom' as const),
    arguments: args,
  },
  plain,
);
const generated = fc.constant<Part>({
  type: 'image',
  source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' },
});
/** In the order in which a whole message is read. */
const parts: fc.Arbitrary<Part[]> = fc
  .tuple(
    fc.array(textual('reasoning'), { maxLength: 1 }),
    fc.array(textual('text'), { maxLength: 1 }),
    fc.array(textual('refusal'), { maxLength: 1 }),
    fc.array(generated, { maxLength: 2 }),
    fc.uniqueArray(toolCall, { maxLength: 3, selector: (part) => part.id }),
  )
  .map((lists) => lists.flat());
const count = fc.nat({ max: 5000 });
const usage = fc.record(
  {
    input: count,
    inputAudio: count,
    cacheRead: count,
    cacheWrite: count,
    cacheWrite1h: fc.constant(0),
    output: count,
    outputAudio: count,
    reasoning: count,
  },
  plain,
);
const logprobs = fc.constant<JsonObject>({
  content: [{ token: 'a', logprob: -1, bytes: null, top_logprobs: [] }],
  refusal: null,
});

function choices(lists: { parts: Part[]; finish: Choice['finish']; logprobs?: JsonObject }[]): Choice[] {
  return lists.map((choice, index) => {
    const calls = choice.parts.some((part) => part.type === 'tool_call');
    return { index, ...choice, finish: calls && choice.finish === 'stop' ? 'tool_calls' : choice.finish };
  });
}

const completion: fc.Arbitrary<Completion> = optional(
  {
    id,
    model: words,
    created: fc.nat(),
    choices: fc
      .array(
        optional({ parts, finish: fc.constantFrom('stop', 'length', 'content_filter'), logprobs }, [
          'parts',
          'finish',
        ]),
        { minLength: 1, maxLength: 3 },
      )
      .map(choices),
    usage,
  },
  ['id', 'model', 'created', 'choices'],
) as fc.Arbitrary<Completion>;

test('property: encoding and decoding an answer gives the same completion', () => {
  fc.assert(
    fc.property(completion, (said) => {
      assert.deepEqual(chat.decodeResponse(chat.encodeResponse(said)), said);
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

/** The stream that a client gets, read again. */
function throughStream(events: Iterable<CompletionEvent>): Completion {
  const encoder = chat.streamEncoder({ includeUsage: true });
  const decoder = chat.streamDecoder();
  const reader = new EventReader();
  const bytes = Buffer.from([...events].map((event) => encoder.push(event)).join(''));
  const messages = [...reader.push(bytes), ...reader.end()];
  const { completion: read, error } = collectEvents([
    ...messages.flatMap((sent) => decoder.push(sent)),
    ...decoder.end(),
  ]);
  assert.equal(error, undefined);
  return read;
}

test('property: a completion streamed to a client and read again is the same completion', () => {
  fc.assert(
    fc.property(completion, (said) => {
      assert.deepEqual(throughStream(completionEvents(said)), said);
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

interface Splits {
  said: Completion;
  /** How deltas are cut and choices interleaved; drawn on in turn. */
  numbers: number[];
}

const splits: fc.Arbitrary<Splits> = fc.record({
  said: completion,
  numbers: fc.array(fc.nat({ max: 7 }), { minLength: 1, maxLength: 30 }),
});

/** The chunks of a chat server for a completion: each choice's deltas cut anywhere, the choices interleaved anyhow. */
function serverChunks({ said, numbers }: Splits): JsonObject[] {
  let drawn = 0;
  const draw = (): number => numbers[drawn++ % numbers.length] ?? 0;
  const lanes = said.choices.map((choice) => choiceDeltas(choice, draw));
  const chunks: JsonObject[] = [];
  while (lanes.some((lane) => lane.length > 0)) {
    const lane = lanes[draw() % lanes.length];
    const delta = lane?.shift() ?? lanes.find((other) => other.length > 0)?.shift();
    if (delta) chunks.push({ id: said.id, model: said.model, created: said.created, choices: [delta] });
  }
  return chunks;
}

function choiceDeltas({ index, parts: said, finish }: Choice, draw: () => number): JsonObject[] {
  const deltas: JsonObject[] = [{ role: 'assistant', content: '' }];
  const calls = said.filter((part) => part.type === 'tool_call');
  for (const part of said) {
    if (part.type === 'tool_call') continue;
    if (part.type === 'image') {
      deltas.push({ images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } }] });
      continue;
    }
    const field = { text: 'content', reasoning: 'reasoning_content', refusal: 'refusal' }[
      part.type as 'text'
    ];
    if ('text' in part) for (const piece of cut(part.text, draw)) deltas.push({ [field]: piece });
  }
  // Parallel calls announce themselves in order; their arguments then come in any order.
  const pieces = calls.map((part) => cut(part.arguments, draw));
  for (const [position, part] of calls.entries()) {
    const body = part.kind === 'custom' ? { custom: { name: part.name } } : { function: { name: part.name } };
    deltas.push({ tool_calls: [{ index: position, id: part.id, ...body }] });
    const first = pieces[position]?.shift();
    if (first !== undefined) deltas.push(argumentsDelta(part.kind, position, first));
  }
  while (pieces.some((list) => list.length > 0)) {
    const position = draw() % calls.length;
    const piece = pieces[position]?.shift();
    const kind = calls[position]?.kind;
    if (piece !== undefined && kind) deltas.push(argumentsDelta(kind, position, piece));
    else drainOne();
  }
  return [
    ...deltas.map((delta) => ({ index, delta, finish_reason: null })),
    { index, delta: {}, finish_reason: finish },
  ];

  function drainOne(): void {
    const position = pieces.findIndex((list) => list.length > 0);
    const piece = pieces[position]?.shift();
    const kind = calls[position]?.kind;
    if (piece !== undefined && kind) deltas.push(argumentsDelta(kind, position, piece));
  }
}

function argumentsDelta(kind: 'function' | 'custom', index: number, piece: string): JsonObject {
  return kind === 'custom'
    ? { tool_calls: [{ index, custom: { input: piece } }] }
    : { tool_calls: [{ index, function: { arguments: piece } }] };
}

/** Never empty-handed: a text of n characters gives pieces of 1 to 8 of them. */
function cut(whole: string, draw: () => number): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < whole.length; ) {
    const length = 1 + draw();
    pieces.push(whole.slice(at, at + length));
    at += length;
  }
  return pieces;
}

test('property: however a server cuts and interleaves its deltas, the completion is the same', () => {
  fc.assert(
    fc.property(splits, (drawn) => {
      const decoder = chat.streamDecoder();
      const { completion: read, error } = collectEvents([
        ...serverChunks(drawn).flatMap((chunk) => decoder.push({ data: JSON.stringify(chunk) })),
        ...decoder.push({ data: '[DONE]' }),
      ]);
      assert.equal(error, undefined);
      const { usage: _, ...said } = drawn.said;
      const withoutLogprobs = said.choices.map(({ logprobs: __, ...choice }) => choice);
      assert.deepEqual(read, { ...said, choices: withoutLogprobs });
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});
