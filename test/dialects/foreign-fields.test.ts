import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const OTHERS = [chat, messages, responses, converse];

for (const spelling of ['cachedContent', 'cached_content']) {
  test(`a cache of Gemini holds a part of the conversation: \`${spelling}\` is refused elsewhere`, () => {
    const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], [spelling]: 'cachedContents/1' };
    const conversation = gemini.decodeRequest(body, { model: 'm' });
    for (const dialect of OTHERS) {
      assert.throws(() => dialect.encodeRequest(conversation, 'any'), {
        kind: 'invalid_request',
        code: 'unsupported_parameter',
        param: 'cachedContent',
      });
    }
    assert.equal(gemini.encodeRequest(conversation, 'm').body['cachedContent'], 'cachedContents/1');
  });
}

for (const [field, value] of [
  ['continuationToken', 'dG9rZW4='],
  ['continuation_token', 'dG9rZW4='],
  ['modelArmorConfig', { promptTemplateName: 'projects/p/locations/l/templates/t' }],
] as const) {
  test(`what Gemini goes on from, and what it screens prompts by, only Gemini has: \`${field}\``, () => {
    const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], [field]: value };
    const conversation = gemini.decodeRequest(body, { model: 'm' });
    const param = field.replace('_t', 'T');
    for (const dialect of OTHERS) {
      assert.throws(() => dialect.encodeRequest(conversation, 'any'), {
        kind: 'invalid_request',
        code: 'unsupported_parameter',
        param,
      });
    }
    assert.deepEqual(gemini.encodeRequest(conversation, 'm').body[param], value);
    for (const nothing of ['', null]) {
      const said = gemini.decodeRequest({ ...body, [field]: nothing }, { model: 'm' });
      for (const dialect of OTHERS) assert.deepEqual(dialect.encodeRequest(said, 'any').dropped, []);
    }
  });
}

test('a container of Anthropic’s that is named holds files of earlier turns', () => {
  const ask = (container: JsonValue) =>
    messages.decodeRequest(
      { model: 'm', max_tokens: 99, messages: [{ role: 'user', content: 'Hi' }], container },
      {},
    );
  for (const dialect of [chat, gemini, responses, converse]) {
    for (const container of ['c1', { id: 'c1', skills: [] }]) {
      assert.throws(() => dialect.encodeRequest(ask(container), 'any'), { param: 'container' });
    }
    const { dropped } = dialect.encodeRequest(ask({ skills: [{ skill_id: 'pdf' }] }), 'any');
    assert.deepEqual(dropped, ['container']);
  }
});

test('an empty name of a cache names none', () => {
  const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], cachedContent: '' };
  for (const dialect of OTHERS) {
    assert.deepEqual(dialect.encodeRequest(gemini.decodeRequest(body, { model: 'm' }), 'any').dropped, []);
  }
});

describe('an answer that is no text', () => {
  const said = (generationConfig: JsonObject) =>
    gemini.decodeRequest(
      { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], generationConfig },
      { model: 'm' },
    );
  const asked = (fields: JsonObject) =>
    chat.decodeRequest({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...fields }, {});

  for (const [config, field] of [
    [{ responseModalities: ['AUDIO'] }, 'responseModalities'],
    [{ response_modalities: ['TEXT', 'IMAGE'] }, 'responseModalities'],
    [
      { responseMimeType: 'text/x.enum', responseSchema: { type: 'STRING', enum: ['a', 'b'] } },
      'responseMimeType',
    ],
  ] as const) {
    test(`is refused where it cannot be had: ${JSON.stringify(config)}`, () => {
      for (const dialect of OTHERS) {
        assert.throws(() => dialect.encodeRequest(said({ ...config } as unknown as JsonObject), 'any'), {
          kind: 'invalid_request',
          code: 'unsupported_parameter',
          param: `generationConfig.${field}`,
        });
      }
    });
  }

  test('is refused where a caller of chat wants to hear it', () => {
    const speech = asked({ audio: { voice: 'alloy', format: 'wav' }, modalities: ['text', 'audio'] });
    for (const dialect of [messages, responses, gemini, converse])
      assert.throws(() => dialect.encodeRequest(speech, 'any'), {
        kind: 'invalid_request',
        param: 'modalities',
      });
  });

  test('may be a picture of Gemini’s for a caller of chat', () => {
    const pictures = asked({ modalities: ['image', 'text'] });
    const { body, dropped } = gemini.encodeRequest(pictures, 'gemini-2.5-flash-image');
    assert.deepEqual(body['generationConfig'], { responseModalities: ['IMAGE', 'TEXT'] });
    assert.deepEqual(dropped, []);
    assert.throws(() => messages.encodeRequest(pictures, 'any'), { param: 'modalities' });
  });

  test('is not what is asked for where the words say text alone', () => {
    for (const dialect of OTHERS)
      assert.deepEqual(dialect.encodeRequest(said({ responseModalities: ['TEXT'] }), 'any').dropped, []);
    for (const dialect of [messages, responses, gemini, converse])
      assert.deepEqual(dialect.encodeRequest(asked({ modalities: ['text'] }), 'any').dropped, []);
  });
});
