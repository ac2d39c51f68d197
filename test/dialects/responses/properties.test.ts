import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { DIALECTS } from '../../../src/dialects/registry.ts';
import { responses } from '../../../src/dialects/responses/index.ts';
import { EventReader } from '../../../src/upstream/event-reader.ts';
import { anyWords } from '../../support/any-text.ts';
import { scale } from '../../support/scale.ts';
import { accumulate } from './sdk-oracle.ts';

/** Arbitraries give what each side of the dialect can say; ids are what providers make of them. */
const plain = { noNullPrototype: true } as const;
const optional = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, requiredKeys: (keyof T)[]) =>
  fc.record(model, { requiredKeys, noNullPrototype: true });

const words = anyWords({ minLength: 1, maxLength: 12 });
const id = fc.stringMatching(/^[a-z0-9_]{3,12}$/);
const json = fc.dictionary(words, fc.oneof(fc.integer(), words, fc.constant(null)), { maxKeys: 3, ...plain });
const args = json.map((value) => JSON.stringify(value));
const constant = <T extends string>(word: T) => fc.constant(word);

const inputText = fc.record({ type: constant('input_text'), text: words }, plain);
const image = optional(
  { type: constant('input_image'), image_url: fc.webUrl(), detail: fc.constantFrom('low', 'high', 'auto') },
  ['type', 'image_url'],
);
const file = optional({ type: constant('input_file'), file_url: fc.webUrl(), filename: words }, [
  'type',
  'file_url',
]);
const content = fc.oneof(
  fc.string(),
  fc.array(fc.oneof(inputText, image, file), { minLength: 2, maxLength: 4 }),
);
const annotation = fc.oneof(
  fc.record(
    {
      type: constant('url_citation'),
      start_index: fc.nat(9),
      end_index: fc.nat(9),
      url: fc.webUrl(),
      title: fc.string(),
    },
    plain,
  ),
  fc.record({ type: constant('file_citation'), file_id: id, filename: words, index: fc.nat(9) }, plain),
);
const outputText = fc.record(
  { type: constant('output_text'), text: words, annotations: fc.array(annotation, { maxLength: 2 }) },
  plain,
);
const refusal = fc.record({ type: constant('refusal'), refusal: words }, plain);
const said = fc.record(
  {
    type: constant('message'),
    id,
    status: constant('completed'),
    role: constant('assistant'),
    content: fc.array(fc.oneof(outputText, refusal), { minLength: 1, maxLength: 3 }),
  },
  plain,
);
const summary = fc.array(fc.record({ type: constant('summary_text'), text: words }, plain), { maxLength: 3 });
const reasoning = optional(
  {
    type: constant('reasoning'),
    id,
    summary,
    content: fc.array(fc.record({ type: constant('reasoning_text'), text: words }, plain), { maxLength: 2 }),
    encrypted_content: words,
  },
  ['type', 'id', 'summary'],
);
const call = optional(
  {
    type: constant('function_call'),
    id,
    call_id: id,
    name: words,
    arguments: args,
    status: constant('completed'),
    namespace: words,
  },
  ['type', 'call_id', 'name', 'arguments'],
);
const customCall = optional(
  { type: constant('custom_tool_call'), id, call_id: id, name: words, input: fc.string() },
  ['type', 'call_id', 'name', 'input'],
);
const result = optional(
  {
    type: constant('function_call_output'),
    id,
    call_id: id.map((text) => `result_${text}`),
    output: content,
    status: constant('completed'),
  },
  ['type', 'call_id', 'output'],
);
const builtIn = fc.record(
  { type: fc.constantFrom('web_search_call', 'mcp_call', 'future_item'), id, any: json },
  plain,
);
const item: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.record({ role: fc.constantFrom('user', 'system', 'developer'), content }, plain),
  fc.record({ role: constant('assistant'), content: fc.string() }, plain),
  said,
  reasoning,
  call,
  customCall,
  result,
  builtIn,
);
const tool = fc.oneof(
  optional(
    {
      type: constant('function'),
      name: words,
      description: words,
      parameters: json,
      strict: fc.boolean(),
      defer_loading: fc.boolean(),
    },
    ['type', 'name'],
  ),
  optional(
    {
      type: constant('custom'),
      name: words,
      format: fc.constant({ type: 'grammar', syntax: 'lark', definition: 'x' }),
    },
    ['type', 'name'],
  ),
  fc.record({ type: constant('web_search'), filters: json }, plain),
);
const request: fc.Arbitrary<JsonObject> = optional(
  {
    model: constant('gpt-4o'),
    instructions: words,
    input: fc.array(item, { maxLength: 6 }),
    stream: fc.constant(true),
    tools: fc.array(tool, { minLength: 1, maxLength: 3 }),
    tool_choice: fc.oneof(
      fc.constantFrom('auto', 'none', 'required'),
      fc.constant({ type: 'web_search' }),
      words.map((name) => ({ type: 'function', name: `not ${name}` })),
    ),
    parallel_tool_calls: fc.boolean(),
    text: optional(
      {
        format: optional(
          {
            type: constant('json_schema'),
            name: words,
            schema: json,
            description: words,
            strict: fc.boolean(),
          },
          ['type', 'name', 'schema'],
        ),
        verbosity: words,
        future: json,
      },
      ['format'],
    ),
    reasoning: optional({ effort: words, summary: words, context: words }, ['effort']),
    max_output_tokens: fc.nat(),
    temperature: fc.double({ min: 0, max: 2, noNaN: true }),
    top_logprobs: fc.nat(20),
    include: fc.array(fc.constantFrom('message.output_text.logprobs', 'reasoning.encrypted_content')),
    user: words,
    safety_identifier: words,
    prompt_cache_key: words,
    metadata: json,
    store: fc.boolean(),
    previous_response_id: id,
    background: fc.boolean(),
    truncation: words,
    stream_options: json,
    future_field: json,
  },
  ['model', 'input'],
);

test('property: decoding and encoding a request gives the same request', () => {
  fc.assert(
    fc.property(request, (body) => {
      const encoded = responses.encodeRequest(responses.decodeRequest(body, {}), 'gpt-4o');
      assert.deepEqual(encoded, { body, dropped: [] });
    }),
    { numRuns: scale({ sample: 120, heavy: 500 }) },
  );
});

test('property: every request crosses to every other dialect or is refused as the caller’s', () => {
  fc.assert(
    fc.property(request, (body) => {
      for (const dialect of [DIALECTS.chat, DIALECTS.messages, DIALECTS.gemini]) {
        try {
          dialect.encodeRequest(responses.decodeRequest(body, {}), 'any-model');
        } catch (error) {
          assert.ok(error instanceof GatewayError && error.kind === 'invalid_request', String(error));
        }
      }
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

test('property: any JSON is a request or is refused with a reason', () => {
  const anything = fc.record(
    {
      model: constant('m'),
      input: fc.oneof(fc.jsonValue(), fc.array(fc.oneof(item, json))),
      tools: fc.jsonValue(),
    },
    plain,
  );
  fc.assert(
    fc.property(anything, (body) => {
      try {
        responses.decodeRequest(body as JsonObject, {});
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.kind === 'invalid_request', String(error));
      }
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

/** Ids of the items of one response are unique; the SDK holds to it, and servers do. */
const answer: fc.Arbitrary<JsonObject> = optional(
  {
    id: id.map((text) => `resp_${text}`),
    object: constant('response'),
    created_at: fc.nat(),
    model: words,
    status: constant('completed'),
    output: fc
      .array(
        fc.oneof(
          said,
          reasoning,
          call.map((one) => ({ ...one, status: 'completed' })),
          customCall.map((one) => ({ status: 'completed', ...one })),
          builtIn,
        ),
        { maxLength: 5 },
      )
      .map((items) =>
        items.map((one, index) => ({
          ...one,
          id: `item_${index}`,
          ...('call_id' in one ? { call_id: `call_${index}` } : {}),
        })),
      ),
    usage: fc.constant({
      input_tokens: 9,
      input_tokens_details: { cached_tokens: 2 },
      output_tokens: 3,
      output_tokens_details: { reasoning_tokens: 1 },
      total_tokens: 12,
    }),
    service_tier: words,
    future_field: json,
  },
  ['id', 'object', 'created_at', 'model', 'status', 'output'],
);

function bytesOf(events: Iterable<CompletionEvent>): Buffer {
  const encoder = responses.streamEncoder({ includeUsage: false });
  let text = '';
  for (const event of events) text += encoder.push(event);
  return Buffer.from(text);
}

test('property: decoding and encoding an answer gives the same answer', () => {
  fc.assert(
    fc.property(answer, (body) => {
      const again = responses.encodeResponse(responses.decodeResponse(body));
      for (const [key, value] of Object.entries(body))
        assert.deepEqual(withoutLogprobs(again[key]), value, key);
    }),
    { numRuns: scale({ sample: 120, heavy: 500 }) },
  );
});

/** OpenAI writes the empty list with every text, whoever asked for it. */
function withoutLogprobs(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === 'logprobs' ? undefined : inner)));
}

test('property: a stream of any answer, cut anywhere, gives the same answer', () => {
  fc.assert(
    fc.property(answer, fc.array(fc.nat(4000), { maxLength: 6 }), (body, cuts) => {
      const completion = responses.decodeResponse(body);
      const bytes = bytesOf(completionEvents(completion));
      const reader = new EventReader();
      const decoder = responses.streamDecoder();
      const events: CompletionEvent[] = [];
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
        for (const message of reader.push(bytes.subarray(from, cut))) events.push(...decoder.push(message));
        from = Math.max(from, Math.min(cut, bytes.length));
      }
      for (const message of reader.end()) events.push(...decoder.push(message));
      const collected = collectEvents([...events, ...decoder.end()]);
      assert.equal(collected.error, undefined);
      assert.deepEqual(meaning(collected.completion), meaning(completion));
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

function meaning({ choices, usage, id: completionId, model }: Completion): unknown {
  return JSON.parse(JSON.stringify({ choices, usage, completionId, model }));
}

/** What an answer of any other dialect may hold. */
const foreignPart: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ type: constant('text'), text: words }, plain),
  fc.record({ type: constant('refusal'), text: words }, plain),
  optional(
    {
      type: constant('reasoning'),
      text: fc.string(),
      signature: fc.record({ dialect: fc.constant('messages' as const), value: words }, plain),
    },
    ['type', 'text'],
  ),
  fc.record(
    {
      type: constant('tool_call'),
      id,
      kind: fc.constantFrom('function', 'custom'),
      name: words,
      arguments: args,
    },
    plain,
  ),
);

test("property: OpenAI's SDK makes of every stream the response that its last event holds", async () => {
  const unique = (parts: Part[]) =>
    parts.map((part, index) => (part.type === 'tool_call' ? { ...part, id: `call_${index}` } : part));
  await fc.assert(
    fc.asyncProperty(fc.array(foreignPart, { maxLength: 6 }), async (parts) => {
      const completion: Completion = {
        id: 'c',
        model: 'm',
        choices: [{ index: 0, parts: unique(parts), finish: 'stop' }],
      };
      const whole = responses.encodeResponse(completion);
      const response = await accumulate(bytesOf(completionEvents(completion)).toString());
      const parsed = new Set(['parsed', 'parsed_arguments']);
      const output = JSON.parse(
        JSON.stringify(response.output, (key, value) => (parsed.has(key) ? undefined : value)),
      );
      assert.deepEqual(output, whole['output']);
      assert.equal(response.status, whole['status']);
    }),
    { numRuns: 100 },
  );
});
