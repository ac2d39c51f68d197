import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseExactly, parseKeepingArguments } from '../../src/conversation/exact-numbers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import type { CallerDialect, UpstreamDialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

/** Each would be another text if it were a number of JavaScript's in between. */
const ARGUMENTS =
  '{"id":1234567890123456789,"negative":-98765432109876543210,"whole":1.0,"small":[0.10,-0],"big":1e400}';

describe('tool arguments keep the digits that the model wrote', () => {
  const ANSWERS: [string, UpstreamDialect, string][] = [
    [
      'Anthropic',
      messages,
      `{"id":"m","type":"message","role":"assistant","model":"c","stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1},"content":[{"type":"tool_use","id":"t1","name":"get","input":${ARGUMENTS}}]}`,
    ],
    [
      'Gemini',
      gemini,
      `{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"functionCall":{"name":"get","id":"t1","args":${ARGUMENTS}}}]}}]}`,
    ],
    [
      'Bedrock',
      converse,
      `{"stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":1,"totalTokens":2},"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"get","input":${ARGUMENTS}}}]}}}`,
    ],
  ];
  const DOORS: [string, CallerDialect][] = [
    ['chat', chat],
    ['responses', responses],
    ['messages', messages],
    ['gemini', gemini],
  ];
  for (const [provider, dialect, answer] of ANSWERS) {
    for (const [door, caller] of DOORS) {
      test(`an answer of ${provider} at the ${door} door`, () => {
        const completion = dialect.decodeResponse(parseKeepingArguments(answer) ?? assert.fail());
        const text = JSON.stringify(caller.encodeResponse(completion));
        assert.ok(text.includes(ARGUMENTS) || text.includes(JSON.stringify(ARGUMENTS)), text);
      });
    }
  }

  test('a chunk of Gemini’s stream', () => {
    const data = `{"candidates":[{"index":0,"finishReason":"STOP","content":{"role":"model","parts":[{"functionCall":{"name":"get","args":${ARGUMENTS}}}]}}]}`;
    const events = gemini.streamDecoder().push({ data });
    assert.ok(JSON.stringify(events).includes(JSON.stringify(ARGUMENTS)), JSON.stringify(events));
  });

  test('a block of Anthropic’s stream that begins with its input', () => {
    const decoder = messages.streamDecoder();
    const events = [
      '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"c","usage":{"input_tokens":1,"output_tokens":1}}}',
      `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t1","name":"get","input":${ARGUMENTS}}}`,
      '{"type":"content_block_stop","index":0}',
    ].flatMap((data) => decoder.push({ data }));
    assert.ok(JSON.stringify(events).includes(JSON.stringify(ARGUMENTS)), JSON.stringify(events));
  });

  const PROVIDERS: [string, UpstreamDialect, string][] = [
    ['Anthropic', messages, 'claude-sonnet-4-5'],
    ['Gemini', gemini, 'gemini-2.5-flash'],
    ['Bedrock', converse, 'anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['OpenAI', chat, 'gpt-4.1'],
    ['OpenAI’s Responses', responses, 'gpt-4.1'],
  ];
  const called = JSON.stringify(ARGUMENTS);
  const REQUESTS: [string, CallerDialect, string][] = [
    [
      'chat',
      chat,
      `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"get","arguments":${called}}}]},{"role":"tool","tool_call_id":"c1","content":${called}}]}`,
    ],
    [
      'messages',
      messages,
      `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"get","input":${ARGUMENTS}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":${called}}]}]}`,
    ],
    [
      'gemini',
      gemini,
      `{"contents":[{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"get","args":${ARGUMENTS}}}]},{"role":"user","parts":[{"functionResponse":{"name":"get","response":${ARGUMENTS}}}]}]}`,
    ],
  ];
  for (const [door, caller, request] of REQUESTS) {
    for (const [provider, dialect, model] of PROVIDERS) {
      test(`the history of a ${door} client that goes to ${provider}, and its results`, () => {
        const body = parseKeepingArguments(request);
        assert.ok(isObject(body));
        const { body: written } = dialect.encodeRequest(caller.decodeRequest(body, { model: 'm' }), model);
        const text = JSON.stringify(written);
        assert.equal(text.split(ARGUMENTS).length + text.split(called).length - 2, 2, text);
      });
    }
  }

  test('numbers that are not a tool’s are numbers', () => {
    const body = parseKeepingArguments(
      `{"max_tokens":1.0,"temperature":10e-1,"x":[{"input":{"n":1.0}},{"input":[1.0]}]}`,
    );
    assert.deepEqual(isObject(body) && [body['max_tokens'], body['temperature']], [1, 1]);
    assert.equal(
      JSON.stringify(body),
      '{"max_tokens":1,"temperature":1,"x":[{"input":{"n":1.0}},{"input":[1]}]}',
    );
  });
});

test('property: what is parsed exactly is what was written, and is written so again', () => {
  const number = fc.oneof(
    fc.stringMatching(/^-?(?:0|[1-9]\d{0,24})(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?$/),
    fc.integer().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  );
  const scalar = fc.oneof(
    number,
    fc.string().map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true'),
  );
  const key = fc.oneof(fc.string(), fc.constant('__proto__'));
  const document = fc.letrec<{ any: string }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      scalar,
      fc.array(tie('any')).map((items) => `[${items.join(',')}]`),
      fc
        .uniqueArray(
          fc.tuple(
            key.filter((name) => !/^\d+$/.test(name)),
            tie('any'),
          ),
          { selector: ([name]) => name },
        )
        .map(
          (entries) => `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`,
        ),
    ),
  })).any;
  fc.assert(
    fc.property(document, (text) => {
      assert.equal(JSON.stringify(parseExactly(text)), text);
      const kept = parseKeepingArguments(`{"input":{"of":${text}},"args":{}}`) as JsonObject;
      assert.equal(JSON.stringify(kept), `{"input":{"of":${text}},"args":{}}`);
    }),
  );
});

test('text that is no JSON is none', () => {
  for (const text of ['', '{', '{"input":{"n":1.0}', '{"input":{"n":1.0}}}']) {
    const none: (JsonValue | undefined)[] = [parseExactly(text), parseKeepingArguments(text)];
    assert.deepEqual(none, [undefined, undefined]);
  }
});
