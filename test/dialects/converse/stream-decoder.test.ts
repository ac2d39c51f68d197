import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { converse } from '../../../src/dialects/converse/index.ts';
import { readConverseRequest } from '../../support/bedrock/reading.ts';
import { writeAnswer, writeStream } from '../../support/bedrock/writing.ts';
import { runModel } from '../../support/fake-model.ts';
import { scale } from '../../support/scale.ts';
import { createSigner } from '../../support/signatures.ts';
import { CLAUDE } from './conversations.ts';
import { collectMessages, collectStream, decodeMessages, messageOf, readFrames } from './frames.ts';

const delta = (contentBlockIndex: number, value: JsonObject): JsonObject => ({
  contentBlockDelta: { contentBlockIndex, delta: value },
});
const start = (contentBlockIndex: number, value: JsonObject): JsonObject => ({
  contentBlockStart: { contentBlockIndex, start: value },
});
const stop = (contentBlockIndex: number): JsonObject => ({ contentBlockStop: { contentBlockIndex } });
const END: JsonObject[] = [
  { messageStop: { stopReason: 'end_turn' } },
  { metadata: { usage: { inputTokens: 3, outputTokens: 2 }, metrics: { latencyMs: 1 } } },
];
const partsOf = (events: readonly JsonObject[]): unknown =>
  collectStream([...events, ...END]).completion.choices[0]?.parts;

test('text, reasoning and a tool call, in order, the usage after the end of the message', () => {
  const events = decodeMessages(
    [
      { messageStart: { role: 'assistant', p: 'ab' } },
      delta(0, { reasoningContent: { text: 'hm' } }),
      delta(0, { reasoningContent: { signature: 's' } }),
      stop(0),
      delta(1, { text: 'Hi' }),
      stop(1),
      start(2, { toolUse: { toolUseId: 't', name: 'look' } }),
      delta(2, { toolUse: { input: '' } }),
      delta(2, { toolUse: { input: '{"a":' } }),
      delta(2, { toolUse: { input: '1}' } }),
      stop(2),
      { messageStop: { stopReason: 'tool_use' } },
      ...END.slice(1),
    ].map(messageOf),
  );
  const at = (part: number): { choice: number; part: number } => ({ choice: 0, part });
  assert.deepEqual(events, [
    { type: 'start', id: '', model: '' },
    { type: 'part_start', ...at(0), value: { type: 'reasoning', text: '' } },
    { type: 'part_delta', ...at(0), delta: 'hm' },
    { type: 'part_end', ...at(0), signature: { dialect: 'converse', value: 's' } },
    { type: 'part_start', ...at(1), value: { type: 'text', text: '' } },
    { type: 'part_delta', ...at(1), delta: 'Hi' },
    { type: 'part_end', ...at(1) },
    {
      type: 'part_start',
      ...at(2),
      value: { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: '' },
    },
    { type: 'part_delta', ...at(2), delta: '{"a":' },
    { type: 'part_delta', ...at(2), delta: '1}' },
    { type: 'part_end', ...at(2) },
    { type: 'finish', choice: 0, reason: 'tool_calls' },
    {
      type: 'usage',
      usage: {
        input: 3,
        inputAudio: 0,
        cacheRead: 0,
        cacheWrite: 0,
        cacheWrite1h: 0,
        output: 2,
        outputAudio: 0,
        reasoning: 0,
      },
    },
    { type: 'end', extra: { dialect: 'converse', fields: { metrics: { latencyMs: 1 } } } },
  ] satisfies CompletionEvent[]);
});

test('a tool without arguments has an empty object', () => {
  const tool = start(0, { toolUse: { toolUseId: 't', name: 'look' } });
  for (const deltas of [[], [delta(0, { toolUse: { input: '' } })]]) {
    assert.deepEqual(partsOf([tool, ...deltas, stop(0)]), [
      { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: '{}' },
    ]);
  }
});

test('blocks without a stop are closed, blocks that begin without a start are understood', () => {
  assert.deepEqual(partsOf([delta(0, { text: 'A' }), delta(1, { text: 'B' })]), [
    { type: 'text', text: 'A' },
    { type: 'text', text: 'B' },
  ]);
});

test('redacted reasoning, citations, images and what Bedrock ran are whole at their stop', () => {
  const citation = { title: 'Rain', location: { web: { url: 'https://a.example' } } };
  const parts = partsOf([
    delta(0, { reasoningContent: { redactedContent: 'YWI=' } }),
    delta(0, { reasoningContent: { redactedContent: 'Yw==' } }),
    stop(0),
    delta(1, { text: 'It rains.' }),
    delta(1, { citation }),
    stop(1),
    start(2, { image: { format: 'png' } }),
    delta(2, { image: { source: { bytes: 'YWI=' } } }),
    stop(2),
    start(3, { toolUse: { toolUseId: 's', name: 'nova', type: 'server_tool_use' } }),
    delta(3, { toolUse: { input: '{"x":1}' } }),
    stop(3),
    start(4, { toolResult: { toolUseId: 's', type: 'nova_result', status: 'success' } }),
    delta(4, { toolResult: [{ json: { y: 2 } }] }),
    stop(4),
  ]);
  const whole = converse.decodeResponse({
    stopReason: 'end_turn',
    output: {
      message: {
        content: [
          { reasoningContent: { redactedContent: 'YWJj' } },
          { citationsContent: { content: [{ text: 'It rains.' }], citations: [citation] } },
          { image: { format: 'png', source: { bytes: 'YWI=' } } },
          { toolUse: { toolUseId: 's', name: 'nova', type: 'server_tool_use', input: { x: 1 } } },
          {
            toolResult: {
              toolUseId: 's',
              type: 'nova_result',
              status: 'success',
              content: [{ json: { y: 2 } }],
            },
          },
        ],
      },
    },
  });
  assert.deepEqual(parts, whole.choices[0]?.parts);
});

test('a JSON answer by a forced tool is text, and the free text of a custom tool its own', () => {
  const { choices } = collectStream([
    start(0, { toolUse: { toolUseId: 't', name: 'fairlead_json_output' } }),
    delta(0, { toolUse: { input: '{"a":1}' } }),
    stop(0),
    { messageStop: { stopReason: 'tool_use' } },
  ]).completion;
  assert.deepEqual(choices[0]?.parts, [{ type: 'text', text: '{"a":1}' }]);
  assert.equal(choices[0]?.finish, 'stop');
  const custom = start(0, { toolUse: { toolUseId: 't', name: 'fairlead_custom_patch' } });
  const pieces = ['{"input":', '"a b"}'].map((input) => delta(0, { toolUse: { input } }));
  assert.deepEqual(partsOf([custom, ...pieces, stop(0)]), [
    { type: 'tool_call', id: 't', name: 'patch', kind: 'custom', arguments: 'a b' },
  ]);
});

test('the stop sequence of a stream is found in its own place', () => {
  const { choices } = collectStream([
    {
      messageStop: {
        stopReason: 'stop_sequence',
        additionalModelResponseFields: { delta: { stop_sequence: 'END' } },
      },
    },
  ]).completion;
  assert.equal(choices[0]?.stopSequence, 'END');
});

test('the usage may come before the end, or not at all', () => {
  assert.equal(collectStream(END.toReversed()).completion.usage?.input, 3);
  const without = collectStream(END.slice(0, 1));
  assert.equal(without.ended, true);
  assert.equal(without.completion.usage, undefined);
});

const EXCEPTIONS: [event: string, kind: string][] = [
  ['throttlingException', 'upstream_rate_limited'],
  ['modelStreamErrorException', 'upstream_unavailable'],
  ['internalServerException', 'upstream_unavailable'],
  ['serviceUnavailableException', 'upstream_unavailable'],
  ['validationException', 'upstream_rejected'],
  ['modelTimeoutException', 'upstream_timeout'],
  ['accessDeniedException', 'upstream_unavailable'],
  ['somethingNewException', 'upstream_unavailable'],
];
for (const [event, kind] of EXCEPTIONS) {
  test(`${event} ends the stream with ${kind}`, () => {
    const { error, ended } = collectMessages([
      messageOf(delta(0, { text: 'Hi' })),
      { event, data: '{"message":"Because."}' },
      ...END.map(messageOf),
    ]);
    assert.equal(error?.kind, kind);
    assert.equal(error?.message, 'Because.');
    assert.equal(ended, false);
  });
}

test('an error that the service does not declare ends the stream too', () => {
  const data = '{"code":"InternalFailure","message":"It broke."}';
  const { error } = collectMessages([{ event: 'error', data }]);
  assert.equal(error?.code, 'InternalFailure');
  assert.equal(error?.kind, 'upstream_unavailable');
});

test('events of unknown types are passed over, events that are no JSON are an error', () => {
  assert.equal(collectStream([{ newsOfTomorrow: {} }, ...END]).ended, true);
  assert.equal(
    collectMessages([{ event: 'contentBlockDelta', data: '{' }]).error?.kind,
    'upstream_unavailable',
  );
});

const SCRIPTS = [
  'Hi 👋',
  'think about rain\ncall weather {"city":"Köln"}\ncall weather {}',
  'long 5',
  'stop at HALT',
  'refuse',
  'block',
  'finish length',
  'usage cached 5\nusage cache-write-1h 3',
];
const script = fc.constantFrom(...SCRIPTS);
const envelope = (): Parameters<typeof writeAnswer>[1] => {
  let calls = 0;
  return {
    model: CLAUDE,
    request: { additionalModelResponseFieldPaths: [] },
    signer: createSigner('x'),
    nextCallId: () => `tooluse_${calls++}`,
  };
};

function runScript(text: string): ReturnType<typeof runModel> {
  const request = {
    messages: [{ role: 'user', content: [{ text }] }],
    toolConfig: { tools: [{ toolSpec: { name: 'weather', inputSchema: { json: { type: 'object' } } } }] },
    additionalModelRequestFields: { thinking: { type: 'adaptive' } },
    inferenceConfig: { stopSequences: ['HALT'] },
  };
  return runModel(readConverseRequest(request, CLAUDE));
}

function bytesOf(text: string): Buffer {
  const { frames } = writeStream(runScript(text), envelope());
  return Buffer.concat(frames.map((frame) => Buffer.from(frame.text)));
}

test('a stream equals its whole answer, however its bytes are cut', () => {
  fc.assert(
    fc.property(script, fc.integer({ min: 1, max: 200 }), (text, pieceBytes) => {
      const { completion, ended } = collectMessages(readFrames(bytesOf(text), pieceBytes));
      assert.equal(ended, true);
      assert.deepEqual(completion, converse.decodeResponse(writeAnswer(runScript(text), envelope())));
    }),
  );
});

test('a stream cut off anywhere before its end of message is an error, never a clean end', () => {
  fc.assert(
    fc.property(script, fc.nat(), (text, at) => {
      const messages = readFrames(bytesOf(text));
      const kept = messages.slice(0, at % (messages.length - 1));
      assert.equal(decodeMessages(kept).at(-1)?.type, 'error');
    }),
  );
});

test('no sequence of JSON values makes the decoder throw, or part events come in a wrong order', () => {
  const type = fc.constantFrom(
    'messageStart',
    'contentBlockStart',
    'contentBlockDelta',
    'contentBlockStop',
    'messageStop',
    'metadata',
    'throttlingException',
    'constructor',
    'error',
  );
  const value = fc.dictionary(
    fc.constantFrom('contentBlockIndex', 'start', 'delta', 'stopReason', 'usage', 'text', '__proto__'),
    fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom('toolUse', 'toolResult', 'image', 'text', 'reasoningContent', 'citation'),
        fc.jsonValue(),
      ),
    ),
  );
  const message = fc.tuple(type, value).map(([event, data]) => ({
    event,
    data: JSON.stringify(data as JsonValue),
  }));
  fc.assert(
    fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
      // Throws for parts that have not begun.
      const { error, ended } = collectMessages(messages);
      assert.notEqual(error !== undefined, ended);
    }),
    { numRuns: scale({ sample: 150, heavy: 5_000 }) },
  );
});
