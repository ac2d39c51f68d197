import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import type { Part, ReasoningPart, ToolCallPart } from '../../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { CARRIED_PREFIX } from '../../../src/dialects/gemini/carried-signatures.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';

function thought(text: string, value: string): ReasoningPart {
  return { type: 'reasoning', text, signature: { dialect: 'messages', value } };
}

function call(id: string, more: Partial<ToolCallPart> = {}): ToolCallPart {
  return { type: 'tool_call', id, name: 'f', kind: 'function', arguments: '{"a":1}', ...more };
}

function completion(parts: Part[]): Completion {
  return { id: 'r', model: 'm', choices: [{ index: 0, parts, finish: 'tool_calls' }] };
}

/** The contents that a client keeps of an answer: one, or one for each chunk of its stream. */
function wholeContents(parts: Part[]): JsonValue[] {
  return contentsOf(gemini.encodeResponse(completion(parts)));
}

function streamedContents(parts: Part[]): JsonValue[] {
  const encoder = gemini.streamEncoder({ includeUsage: true });
  const text = [...completionEvents(completion(parts))].map((event) => encoder.push(event)).join('');
  const chunks = text.split('\r\n\r\n').filter((chunk) => chunk !== '');
  return chunks.flatMap((chunk) => contentsOf(JSON.parse(chunk.slice('data: '.length)) as JsonObject));
}

function contentsOf({ candidates }: JsonObject): JsonValue[] {
  const [candidate] = Array.isArray(candidates) ? candidates : [];
  return isObject(candidate) && candidate['content'] !== undefined ? [candidate['content']] : [];
}

/** The parts of the model's turn as they are read when it comes back. */
function readBack(contents: JsonValue[]): Part[] {
  const user = { role: 'user', parts: [{ text: 'Hi' }] };
  const results = { role: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] };
  const { messages } = gemini.decodeRequest({ contents: [user, ...contents, results] }, { model: 'm' });
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'tool'],
  );
  return messages[1]?.parts ?? [];
}

const FORMS = [
  ['whole', wholeContents],
  ['streamed', streamedContents],
] as const;

for (const [form, contents] of FORMS) {
  test(`another provider's signed reasoning comes back before all else of its turn, ${form}`, () => {
    const parts = [thought('hm', 's1'), { type: 'text' as const, text: 'Let me see.' }, call('toolu_1')];
    assert.deepEqual(readBack(contents(parts)), parts);
  });

  test(`reasoning between two calls comes back between them, ${form}`, () => {
    const parts = [thought('hm', 's1'), call('toolu_1'), thought('well', 's2'), call('toolu_2')];
    assert.deepEqual(readBack(contents(parts)), parts);
  });

  test(`redacted reasoning, and a call's own signature of another dialect, come back, ${form}`, () => {
    const redacted: ReasoningPart = {
      type: 'reasoning',
      text: '',
      encrypted: { dialect: 'messages', value: 'x' },
    };
    const signed = call('c1', { signature: { dialect: 'responses', value: 'y' } });
    assert.deepEqual(readBack(contents([redacted, signed])), [redacted, signed]);
  });

  test(`a call with nothing to carry is marked all the same, and comes back as it was, ${form}`, () => {
    const written = contents([call('c1')]);
    assert.match(JSON.stringify(written), new RegExp(`"thoughtSignature":"${CARRIED_PREFIX}`));
    assert.deepEqual(readBack(written), [call('c1')]);
  });

  test(`Gemini's own signature stays what it is, ${form}`, () => {
    const signed = call('c1', { signature: { dialect: 'gemini', value: 'g' } });
    const written = contents([signed, call('c2')]);
    assert.doesNotMatch(JSON.stringify(written), new RegExp(CARRIED_PREFIX));
    assert.deepEqual(readBack(written), [signed, call('c2')]);
  });
}

test('a marked signature that cannot be read is nobody’s', () => {
  const part = { functionCall: { id: 'c1', name: 'f', args: {} }, thoughtSignature: `${CARRIED_PREFIX}!!` };
  const [read] = readBack([{ role: 'model', parts: [part] }]);
  assert.deepEqual(read, call('c1', { arguments: '{}' }));
});

for (const [kind, more] of [
  ['unsigned', {}],
  ['carried', { signature: { dialect: 'converse', value: 's' } }],
] as const) {
  test(`another provider's thoughts that the client was shown are not Gemini's: left out and named, ${kind}`, () => {
    const thoughts: Part = { type: 'reasoning', text: 'foreign words', ...more };
    const contents = [
      { role: 'user', parts: [{ text: 'Hi' }] },
      ...contentsOf(
        gemini.encodeResponse(completion([thoughts, call('call_1')]), {
          generationConfig: { thinkingConfig: { includeThoughts: true } },
        }),
      ),
      {
        role: 'user',
        parts: [{ functionResponse: { id: 'call_1', name: 'f', response: { output: 'x' } } }],
      },
    ];
    assert.match(JSON.stringify(contents), /"text":"foreign words","thought":true/);
    const conversation = gemini.decodeRequest({ contents }, { model: 'm' });
    const { body, dropped } = gemini.encodeRequest(conversation, 'gemini-2.5-flash');
    assert.doesNotMatch(JSON.stringify(body), /foreign words/);
    assert.deepEqual(dropped, ['contents[1].parts[0]']);
  });
}

test('thoughts that Gemini has not signed go back to it as they came', () => {
  const contents = [
    { role: 'user', parts: [{ text: 'Hi' }] },
    {
      role: 'model',
      parts: [{ text: 'own words', thought: true }, { functionCall: { name: 'f', args: {} } }],
    },
    { role: 'user', parts: [{ functionResponse: { name: 'f', response: {} } }] },
  ];
  const conversation = gemini.decodeRequest({ contents }, { model: 'm' });
  const { body, dropped } = gemini.encodeRequest(conversation, 'gemini-2.5-flash');
  assert.match(JSON.stringify(body), /"text":"own words","thought":true/);
  assert.deepEqual(dropped, []);
});

test('a client may write the bytes in the other alphabet, and without padding', () => {
  const parts = [thought('hm?>~', 'ÿÿÿ>>>???'), call('toolu_1')];
  const written = JSON.stringify(wholeContents(parts)).replace(/"thoughtSignature":"([^"]+)"/, (_, value) => {
    const bytes = Buffer.from(String(value), 'base64');
    return `"thoughtSignature":"${bytes.toString('base64url')}"`;
  });
  assert.deepEqual(readBack(JSON.parse(written) as JsonValue[]), parts);
});

test('Gemini itself is told that the signature of such a call is not to be had', () => {
  const contents = [
    { role: 'user', parts: [{ text: 'Hi' }] },
    ...wholeContents([thought('hm', 's1'), call('toolu_1')]),
    { role: 'user', parts: [{ functionResponse: { id: 'toolu_1', name: 'f', response: { output: 'x' } } }] },
  ];
  const conversation = gemini.decodeRequest({ contents }, { model: 'm' });
  const { body } = gemini.encodeRequest(conversation, 'gemini-3-pro-preview');
  const text = JSON.stringify(body);
  assert.doesNotMatch(text, new RegExp(CARRIED_PREFIX));
  assert.match(text, /"thoughtSignature":"skip_thought_signature_validator"/);
});
