import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DialectName } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { CallerDialectName, EncodedRequest } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';

const MODELS: Record<DialectName, string> = {
  chat: 'mistral-large',
  responses: 'gpt-5',
  messages: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  converse: 'anthropic.claude-sonnet-4-5-20250929-v1:0',
};
const TARGETS = Object.keys(MODELS) as DialectName[];

const SCHEMA = { type: 'object', properties: {} };

interface Caller {
  word: string;
  /** A function `f` and a tool that the provider runs. */
  both: JsonObject[];
  ask(tools: JsonObject[], choice: unknown): JsonObject;
  choices: { auto: unknown; required: unknown; forced: unknown; allowsBoth?: unknown; allowsOther?: unknown };
}

const CALLERS: Record<CallerDialectName, Caller> = {
  chat: {
    word: 'tool_choice',
    both: [{ type: 'function', function: { name: 'f', parameters: SCHEMA } }, { type: 'browser_search' }],
    ask: (tools, choice) =>
      ({ messages: [{ role: 'user', content: 'Hi' }], tools, tool_choice: choice }) as JsonObject,
    choices: {
      auto: 'auto',
      required: 'required',
      forced: { type: 'function', function: { name: 'browser_search' } },
    },
  },
  responses: {
    word: 'tool_choice',
    both: [{ type: 'function', name: 'f', parameters: SCHEMA }, { type: 'web_search' }],
    ask: (tools, choice) => ({ input: 'Hi', tools, tool_choice: choice }) as JsonObject,
    choices: {
      auto: 'auto',
      required: 'required',
      forced: { type: 'web_search' },
      allowsBoth: {
        type: 'allowed_tools',
        mode: 'required',
        tools: [{ type: 'function', name: 'f' }, { type: 'web_search' }],
      },
      allowsOther: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'web_search' }] },
    },
  },
  messages: {
    word: 'tool_choice',
    both: [
      { name: 'f', input_schema: SCHEMA },
      { type: 'web_search_20250305', name: 'web_search' },
    ],
    ask: (tools, choice) =>
      ({
        max_tokens: 9,
        messages: [{ role: 'user', content: 'Hi' }],
        tools,
        tool_choice: choice,
      }) as JsonObject,
    choices: {
      auto: { type: 'auto' },
      required: { type: 'any' },
      forced: { type: 'tool', name: 'web_search' },
    },
  },
  gemini: {
    word: 'toolConfig.functionCallingConfig',
    both: [{ functionDeclarations: [{ name: 'f', parametersJsonSchema: SCHEMA }] }, { googleSearch: {} }],
    ask: (tools, choice) =>
      ({
        contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
        tools,
        toolConfig: { functionCallingConfig: choice },
      }) as JsonObject,
    choices: {
      auto: { mode: 'AUTO' },
      required: { mode: 'ANY' },
      forced: { mode: 'ANY', allowedFunctionNames: ['google_search'] },
      allowsBoth: { mode: 'ANY', allowedFunctionNames: ['f', 'google_search'] },
      allowsOther: { mode: 'VALIDATED', allowedFunctionNames: ['google_search'] },
    },
  },
};

for (const [name, { word, both, ask, choices }] of Object.entries(CALLERS)) {
  for (const target of TARGETS) {
    if (target === name) continue;
    const encode = (tools: JsonObject[], choice: unknown): EncodedRequest => {
      const model = MODELS[target];
      const conversation = DIALECTS[name as CallerDialectName].decodeRequest(
        { model, ...ask(tools, choice) },
        { model },
      );
      return DIALECTS[target].encodeRequest(conversation, model);
    };
    const isRefused = (error: unknown) =>
      error instanceof GatewayError && error.kind === 'invalid_request' && error.param === word;
    const server = both.slice(1);

    describe(`a tool that ${target} cannot be offered, asked for by a caller of ${name}`, () => {
      test('and must be called, is refused', () => {
        assert.throws(() => encode(both, choices.forced), isRefused);
      });

      test('is refused where a tool must be called and no other is left', () => {
        assert.throws(() => encode(server, choices.required), isRefused);
      });

      test('leaves the others to choose from where one must be called', () => {
        const { dropped } = encode(both, choices.required);
        assert.ok(!dropped.includes(word), String(dropped));
      });

      test('takes the choice with it where it was the only one and nothing is demanded', () => {
        const { body, dropped } = encode(server, choices.auto);
        assert.ok(dropped.includes(word), String(dropped));
        for (const field of ['tools', 'tool_choice', 'toolConfig']) assert.equal(body[field], undefined);
      });

      test('is no longer among the allowed', () => {
        if (choices.allowsBoth === undefined) return;
        const { body, dropped } = encode(both, choices.allowsBoth);
        assert.ok(dropped.includes(word), String(dropped));
        assert.doesNotMatch(JSON.stringify(body), /web_search|google_search/);
      });

      test('does not have others called in its place', () => {
        if (choices.allowsOther === undefined) return;
        const { body, dropped } = encode(both, choices.allowsOther);
        assert.ok(dropped.includes(word), String(dropped));
        assert.doesNotMatch(JSON.stringify(body), /web_search|google_search/);
        const choice = JSON.stringify(body['tool_choice'] ?? body['toolConfig'] ?? 'none');
        assert.match(choice, /none/i);
      });
    });
  }
}
