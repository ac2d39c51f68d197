import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { writeCarriedId } from '../../../src/conversation/carried-reasoning.ts';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { inputTokens, outputTokens } from '../../../src/conversation/usage.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { completions } from '../../../src/dialects/completions/index.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { isGivenToolCallId } from '../../../src/dialects/gemini/tool-call-ids.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

function answer(parts: JsonObject[], candidate: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return {
    candidates: [{ content: { parts, role: 'model' }, finishReason: 'STOP', index: 0, ...candidate }],
    modelVersion: 'gemini-x',
    responseId: 'r1',
    ...more,
  };
}

function choiceOf(parts: JsonObject[], candidate: JsonObject = {}) {
  const [choice] = gemini.decodeResponse(answer(parts, candidate)).choices;
  assert.ok(choice);
  return choice;
}

describe('parts of an answer', () => {
  test('texts, thoughts and signatures', () => {
    const { parts } = choiceOf([
      { text: 'hm', thought: true },
      { text: 'Hi', thoughtSignature: 's' },
      { text: '', thoughtSignature: 't' },
    ]);
    assert.deepEqual(parts, [
      { type: 'reasoning', text: 'hm' },
      { type: 'text', text: 'Hi', signature: { dialect: 'gemini', value: 's' } },
      { type: 'text', text: '', signature: { dialect: 'gemini', value: 't' } },
    ]);
  });

  test('pictures and sounds; pictures that are thoughts are no answer', () => {
    const image = { mimeType: 'image/png', data: 'AA==' };
    const { parts } = choiceOf([
      { inlineData: image, thoughtSignature: 's' },
      { inlineData: { mimeType: 'audio/L16;rate=24000', data: 'AA==' } },
      { inlineData: image, thought: true },
    ]);
    const source = { kind: 'data', mediaType: 'image/png', base64: 'AA==' };
    assert.deepEqual(parts, [
      { type: 'image', source, signature: { dialect: 'gemini', value: 's' } },
      { type: 'audio', source: { ...source, mediaType: 'audio/L16;rate=24000' } },
      { type: 'opaque', dialect: 'gemini', value: { inlineData: image, thought: true } },
    ]);
  });

  test('what Google ran itself stays in its place, verbatim', () => {
    const code = { executableCode: { language: 'PYTHON', code: '1' }, thoughtSignature: 's' };
    const output = { codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' } };
    const { parts, finish } = choiceOf([code, output, { text: 'one' }]);
    assert.deepEqual(parts, [
      { type: 'opaque', dialect: 'gemini', value: code },
      { type: 'opaque', dialect: 'gemini', value: output },
      { type: 'text', text: 'one' },
    ]);
    assert.equal(finish, 'stop');
  });
});

describe('function calls', () => {
  const calls = [
    { functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 's' },
    { functionCall: { name: 'f' } },
  ];

  test('end a turn that says STOP', () => {
    assert.equal(choiceOf(calls).finish, 'tool_calls');
    assert.equal(choiceOf(calls, { finishReason: 'MAX_TOKENS' }).finish, 'length');
  });

  test('get ids that are the same for the same answer, different for each call, and known as ours', () => {
    const ids = (id: string) => {
      const [choice] = gemini.decodeResponse(answer(calls, {}, { responseId: id })).choices;
      return choice?.parts.map((part) => (part.type === 'tool_call' ? part.id : '')) ?? [];
    };
    assert.deepEqual(ids('r1'), ids('r1'));
    assert.equal(new Set([...ids('r1'), ...ids('r2')]).size, 4);
    assert.ok(ids('r1').every((id) => !isGivenToolCallId(id) && id.length <= 40));
  });

  test('keep the ids that they have, and arguments are never empty', () => {
    const { parts } = choiceOf([{ functionCall: { id: 'x1', name: 'f' } }]);
    assert.deepEqual(parts, [{ type: 'tool_call', id: 'x1', name: 'f', kind: 'function', arguments: '{}' }]);
  });

  test('that are marked as thoughts are written back so', () => {
    const body = answer([
      { functionCall: { id: 'x1', name: 'f', args: {} }, thoughtSignature: 's', thought: true },
    ]);
    assert.deepEqual(gemini.encodeResponse(gemini.decodeResponse(body)), body);
  });

  test('of answers without an id have ids by what the answers say, which another turn does not repeat', () => {
    const idsAfter = (promptTokenCount: number) => {
      const body = { candidates: [{ content: { parts: calls } }], usageMetadata: { promptTokenCount } };
      const [choice] = gemini.decodeResponse(body).choices;
      return choice?.parts.map((part) => (part.type === 'tool_call' ? part.id : '')) ?? [];
    };
    assert.deepEqual(idsAfter(7), idsAfter(7));
    assert.equal(new Set([...idsAfter(7), ...idsAfter(30)]).size, 4);
  });
});

describe('finish reasons', () => {
  const cases: [string, string][] = [
    ['STOP', 'stop'],
    ['MAX_TOKENS', 'length'],
    // More would follow: what there is, is cut off.
    ['CONTINUATION', 'length'],
    ['SAFETY', 'content_filter'],
    ['RECITATION', 'content_filter'],
    ['MALFORMED_FUNCTION_CALL', 'malformed_tool_call'],
    ['UNEXPECTED_TOOL_CALL', 'malformed_tool_call'],
    ['A_NEW_ONE', 'other'],
  ];
  for (const [word, reason] of cases) {
    test(`${word} is ${reason}, and is written back as it was`, () => {
      assert.equal(choiceOf([{ text: 'x' }], { finishReason: word }).finish, reason);
      const body = answer([{ text: 'x' }], { finishReason: word });
      assert.deepEqual(gemini.encodeResponse(gemini.decodeResponse(body)), body);
    });
  }
});

for (const [word, finishMessage, told] of [
  ['MALFORMED_FUNCTION_CALL', 'Malformed function call: print(f(', 'Malformed function call: print(f('],
  [
    'UNEXPECTED_TOOL_CALL',
    undefined,
    'The provider ended its answer with UNEXPECTED_TOOL_CALL and without any output.',
  ],
  ['OTHER', undefined, 'The provider ended its answer with OTHER and without any output.'],
] as const) {
  test(`${word} without any output is a failure, whole or streamed, with what it used`, () => {
    const thoughts = [{ text: 'hm', thought: true }];
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 0, totalTokenCount: 9 };
    for (const parts of [[], thoughts, [{ text: '' }], [...thoughts, { text: '' }]]) {
      const body = { ...answer(parts, { finishReason: word, finishMessage }), usageMetadata };
      assert.throws(
        () => gemini.decodeResponse(body),
        (error) => {
          assert.ok(error instanceof GatewayError);
          assert.deepEqual([error.kind, error.code, error.message], ['upstream_unavailable', word, told]);
          assert.equal(error.usage?.input, 9);
          return true;
        },
      );
      const decoder = gemini.streamDecoder();
      const events = [...decoder.push({ data: JSON.stringify(body) }), ...decoder.end()];
      const last = events.at(-1);
      assert.equal(last?.type === 'error' ? last.error.message : last?.type, told);
    }
  });
}

test('a malformed call behind some text is no normal end at any door', () => {
  const completion = gemini.decodeResponse(
    answer([{ text: 'x' }], { finishReason: 'MALFORMED_FUNCTION_CALL' }),
  );
  assert.partialDeepStrictEqual(chat.encodeResponse(completion), {
    choices: [{ finish_reason: 'content_filter' }],
  });
  assert.partialDeepStrictEqual(messages.encodeResponse(completion), { stop_reason: 'refusal' });
  assert.partialDeepStrictEqual(responses.encodeResponse(completion, {}), { status: 'incomplete' });
});

test('an end for no reason that is told is no completed response, and is named where a normal end is the nearest word', () => {
  for (const word of ['OTHER', 'A_NEW_ONE']) {
    const completion = gemini.decodeResponse(answer([{ text: 'x' }], { finishReason: word }));
    for (const [dialect, said, named] of [
      [chat, { choices: [{ finish_reason: 'stop' }] }, ['answer.finish_reason=stop']],
      [completions, { choices: [{ finish_reason: 'stop' }] }, ['answer.finish_reason=stop']],
      [messages, { stop_reason: 'end_turn' }, ['answer.stop_reason=end_turn']],
      [responses, { status: 'incomplete', incomplete_details: {} }, []],
    ] as const) {
      const dropped: string[] = [];
      assert.partialDeepStrictEqual(dialect.encodeResponse(completion, {}, dropped), said);
      assert.deepEqual(dropped, named, dialect.name);
      const streamed: string[] = [];
      const encoder = dialect.streamEncoder({ includeUsage: false, dropped: streamed });
      for (const event of completionEvents(completion)) encoder.push(event);
      assert.deepEqual(streamed, named, dialect.name);
    }
  }
});

test('a blocked prompt is a choice that the content filter ended', () => {
  const body = {
    promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
    usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
    modelVersion: 'gemini-x',
    responseId: 'r1',
  };
  const completion = gemini.decodeResponse(body);
  assert.deepEqual(completion.choices, [{ index: 0, parts: [], finish: 'content_filter' }]);
  assert.equal(completion.usage?.input, 9);
  assert.deepEqual(gemini.encodeResponse(completion), body);
});

test('an answer without candidates is an error of the provider', () => {
  for (const body of [{}, { candidates: [] }, [], 'x', null, { usageMetadata: { promptTokenCount: 1 } }]) {
    assert.throws(
      () => gemini.decodeResponse(body),
      (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
    );
  }
});

describe('usage', () => {
  test('thoughts are beside the candidates, tool prompts beside the prompt, cached tokens inside it', () => {
    const usageMetadata = {
      promptTokenCount: 100,
      cachedContentTokenCount: 40,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 7,
      toolUsePromptTokenCount: 5,
      totalTokenCount: 132,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 70 },
        { modality: 'AUDIO', tokenCount: 30 },
      ],
      cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 10 }],
      candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 15 }],
      serviceTier: 'standard',
    };
    const body = answer([{ text: 'x' }], {}, { usageMetadata });
    const { usage } = gemini.decodeResponse(body);
    assert.deepEqual(usage, {
      input: 45,
      inputAudio: 20,
      cacheRead: 40,
      cacheWrite: 0,
      cacheWrite1h: 0,
      output: 5,
      outputAudio: 15,
      reasoning: 7,
    });
    assert.equal(usage && inputTokens(usage) + outputTokens(usage), 132);
    assert.deepEqual(gemini.encodeResponse(gemini.decodeResponse(body)), body);
  });

  test('is absent where nothing is counted', () => {
    const body = answer([{ text: 'x' }], {}, { usageMetadata: { trafficType: 'ON_DEMAND' } });
    assert.equal(gemini.decodeResponse(body).usage, undefined);
    assert.deepEqual(gemini.encodeResponse(gemini.decodeResponse(body)), body);
  });
});

test('log probabilities come in OpenAI’s form, and go back in Gemini’s', () => {
  const logprobsResult = {
    chosenCandidates: [{ token: 'é', tokenId: 5, logProbability: -0.5 }],
    topCandidates: [{ candidates: [{ token: 'e', tokenId: 6, logProbability: -1 }] }],
  };
  const body = answer([{ text: 'é' }], { logprobsResult });
  assert.deepEqual(gemini.decodeResponse(body).choices[0]?.logprobs, {
    content: [
      {
        token: 'é',
        logprob: -0.5,
        bytes: [0xc3, 0xa9],
        token_id: 5,
        top_logprobs: [{ token: 'e', logprob: -1, bytes: [0x65], token_id: 6 }],
      },
    ],
    refusal: null,
  });
  assert.deepEqual(gemini.encodeResponse(gemini.decodeResponse(body)), body);
});

describe('citations', () => {
  const web = (name: string) => ({ web: { uri: `https://${name}.example`, title: name } });

  test('are found by their segments, which count in bytes', () => {
    const groundingMetadata = {
      groundingChunks: [web('a'), { retrievedContext: { text: 'no URL' } }, web('b'), web('c')],
      groundingSupports: [
        { segment: { startIndex: 4, endIndex: 8, text: 'warm' }, groundingChunkIndices: [0, 1] },
        { segment: { startIndex: 0, endIndex: 4, text: 'sure' }, groundingChunkIndices: [2] },
      ],
    };
    const { parts, extra } = choiceOf([{ text: 'Für sure.' }, { text: 'Är warm' }], { groundingMetadata });
    assert.deepEqual(parts, [
      {
        type: 'text',
        text: 'Für sure.',
        citations: [{ url: 'https://b.example', title: 'b', start: 4, end: 8 }],
      },
      {
        type: 'text',
        text: 'Är warm',
        citations: [
          { url: 'https://a.example', title: 'a', start: 3, end: 7 },
          { url: 'https://c.example', title: 'c' },
        ],
      },
    ]);
    assert.deepEqual(extra?.fields, { groundingMetadata });
  });

  test('of recited sources count too', () => {
    const citationMetadata = {
      citationSources: [{ startIndex: 0, endIndex: 3, uri: 'https://a.example' }, { endIndex: 1 }],
    };
    const [part] = choiceOf([{ text: 'éa.' }], { citationMetadata }).parts;
    assert.deepEqual(part?.type === 'text' && part.citations, [
      { url: 'https://a.example', start: 0, end: 2 },
    ]);
  });

  test('of other providers are written as grounding', () => {
    const body = gemini.encodeResponse({
      id: 'r1',
      model: 'm',
      choices: [
        {
          index: 0,
          finish: 'stop',
          parts: [
            { type: 'reasoning', text: 'hm' },
            {
              type: 'text',
              text: 'Är so',
              citations: [{ url: 'https://a.example', start: 3, end: 5 }, { quote: 'q' }],
            },
          ],
        },
      ],
    });
    const [candidate] = body['candidates'] as JsonObject[];
    assert.deepEqual(candidate?.['groundingMetadata'], {
      groundingChunks: [{ web: { uri: 'https://a.example' } }],
      groundingSupports: [
        { segment: { partIndex: 1, startIndex: 4, endIndex: 6, text: 'so' }, groundingChunkIndices: [0] },
      ],
    });
  });
});

test('an answer of another provider is written with what Gemini’s clients can read', () => {
  const reasoning = {
    type: 'reasoning' as const,
    text: 'hm',
    signature: { dialect: 'messages' as const, value: 'x' },
  };
  const carried = Buffer.from(writeCarriedId('', { reasoning: [reasoning] })).toString('base64');
  const body = gemini.encodeResponse({
    id: 'msg_1',
    model: 'claude',
    created: 1_700_000_000,
    choices: [
      {
        index: 0,
        finish: 'tool_calls',
        parts: [
          reasoning,
          { type: 'opaque', dialect: 'messages', value: { type: 'server_tool_use' } },
          { type: 'refusal', text: 'No.' },
          { type: 'tool_call', id: 'toolu_1', name: 'f', kind: 'function', arguments: '{"a":1}' },
        ],
      },
    ],
    extra: { dialect: 'messages', fields: { type: 'message' } },
  });
  assert.deepEqual(body, {
    candidates: [
      {
        content: {
          parts: [
            { text: 'hm', thought: true },
            { text: 'No.' },
            { functionCall: { id: 'toolu_1', name: 'f', args: { a: 1 } }, thoughtSignature: carried },
          ],
          role: 'model',
        },
        finishReason: 'STOP',
        index: 0,
      },
    ],
    modelVersion: 'claude',
    createTime: '2023-11-14T22:13:20.000Z',
    responseId: 'msg_1',
  });
});

test('a time that is none is left out', () => {
  const choices = [{ index: 0, finish: 'stop' as const, parts: [] }];
  const body = gemini.encodeResponse({ id: 'x', model: 'm', created: 1e18, choices });
  assert.deepEqual(Object.keys(body), ['candidates', 'modelVersion', 'responseId']);
});

test('an end for which no reason is given is none of ours to give', () => {
  const body = (parts: JsonObject[]) => ({
    candidates: [{ content: { parts, role: 'model' }, finishReason: 'FINISH_REASON_UNSPECIFIED', index: 0 }],
  });
  const said = gemini.decodeResponse(body([{ text: 'Hi' }]));
  assert.equal(said.choices[0]?.finish, 'other');
  const called = gemini.decodeResponse(body([{ functionCall: { name: 'f', args: {} } }]));
  assert.equal(called.choices[0]?.finish, 'tool_calls');
});

describe('the function that stands for a JSON answer', () => {
  const answerCall = (hour: number) => ({
    functionCall: { name: 'fairlead_json_output', args: { hour } },
    thoughtSignature: 's',
  });
  const clock = { functionCall: { name: 'clock', args: {} } };
  const cases: [string, JsonObject[], [string, unknown][], string][] = [
    ['is a text', [answerCall(1)], [['text', '{"hour":1}']], 'stop'],
    [
      'is one answer, however often it is called',
      [answerCall(1), answerCall(2)],
      [['text', '{"hour":1}']],
      'stop',
    ],
    [
      'is none beside calls whose results it should have waited for',
      [answerCall(1), clock],
      [['tool_call', 'clock']],
      'tool_calls',
    ],
    [
      'stands behind all else that is said, too',
      [answerCall(1), { text: 'Done.' }],
      [
        ['text', 'Done.'],
        ['text', '{"hour":1}'],
      ],
      'stop',
    ],
    [
      'stands behind what was said before it',
      [{ text: 'So: ' }, answerCall(1)],
      [
        ['text', 'So: '],
        ['text', '{"hour":1}'],
      ],
      'stop',
    ],
  ];
  for (const [name, parts, said, finish] of cases) {
    test(`${name}, whole and streamed`, () => {
      const whole = choiceOf(parts);
      const decoder = gemini.streamDecoder();
      const events = [
        ...parts.flatMap((part) => decoder.push({ data: JSON.stringify(answer([part])) })),
        ...decoder.end(),
      ];
      const [streamed] = collectEvents(events).completion.choices;
      for (const choice of [whole, streamed]) {
        const found = choice?.parts.map((part) =>
          part.type === 'tool_call' ? [part.type, part.name] : [part.type, 'text' in part && part.text],
        );
        assert.deepEqual(found, said);
        assert.equal(choice?.finish, finish);
      }
    });
  }
});

test('a text of nothing that is signed is something, whole or streamed: an answer with it has not failed', () => {
  const body = answer([{ text: '', thoughtSignature: 'AAAA' }], { finishReason: 'MALFORMED_FUNCTION_CALL' });
  assert.equal(gemini.decodeResponse(body).choices[0]?.finish, 'malformed_tool_call');
  const decoder = gemini.streamDecoder();
  const events = [...decoder.push({ data: JSON.stringify(body) }), ...decoder.end()];
  assert.equal(events.at(-1)?.type, 'end');
});
