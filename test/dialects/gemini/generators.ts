import fc from 'fast-check';
import type { Choice, Completion, FinishReason } from '../../../src/conversation/completion.ts';
import type {
  Conversation,
  Extra,
  Message,
  Part,
  ReasoningRequest,
  ResponseFormat,
  Signature,
  Tool,
  ToolCallPart,
  ToolChoice,
  ToolResultPart,
} from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { anyWords } from '../../support/any-text.ts';

/*
 * Conversations and completions that the dialect can say exactly: what it has no word for, and what is deliberately
 * written otherwise (empty texts, ids that we make), is not generated here but tested by tables.
 */

/** Records as `JSON.parse` makes them. `required`: the other keys may be missing; without it none may be. */
function plain<T>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T>;
function plain<T, R extends keyof T>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  required: R[],
): fc.Arbitrary<Partial<T> & Pick<T, R>>;
function plain<T>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  required = Object.keys(arbitraries) as (keyof T)[],
): fc.Arbitrary<Partial<T>> {
  return fc.record(arbitraries, { requiredKeys: required, noNullPrototype: true });
}

const words = anyWords({ minLength: 1 });
const name = fc.stringMatching(/^[a-z_][a-zA-Z0-9_]{0,12}$/);

/** JSON text of an object, as `JSON.stringify` writes it. */
const jsonObjectText = fc
  .dictionary(fc.oneof(name, fc.constant('__proto__')), fc.jsonValue({ maxDepth: 2 }))
  .map((object) => JSON.stringify(JSON.parse(JSON.stringify(object))));

const signature: fc.Arbitrary<Signature> = fc
  .base64String({ minLength: 4 })
  .map((value) => ({ dialect: 'gemini', value }));

const extra: fc.Arbitrary<Extra> = plain({
  partMetadata: fc.dictionary(name, fc.string(), { minKeys: 1, noNullPrototype: true }),
}).map((fields) => ({ dialect: 'gemini', fields }));

const base64 = fc.base64String({ minLength: 4 });
const data = (mediaType: string) =>
  base64.map((text) => ({ kind: 'data' as const, mediaType, base64: text }));

const media: fc.Arbitrary<Part> = fc.oneof(
  plain({ type: fc.constant('image' as const), source: data('image/png') }),
  plain({ type: fc.constant('image' as const), source: data('image/png'), signature, extra }),
  plain({ type: fc.constant('audio' as const), source: data('audio/wav') }),
  plain({
    type: fc.constant('file' as const),
    source: fc.webUrl().map((url) => ({ kind: 'url' as const, url, mediaType: 'application/pdf' })),
  }),
);

const text: fc.Arbitrary<Part> = fc.oneof(
  plain({ type: fc.constant('text' as const), text: words }),
  plain({ type: fc.constant('text' as const), text: words, extra }),
);

const signedText: fc.Arbitrary<Part> = plain({
  type: fc.constantFrom('text' as const, 'reasoning' as const),
  text: fc.oneof(words, fc.constant('')),
  signature,
});

const thought: fc.Arbitrary<Part> = plain({ type: fc.constant('reasoning' as const), text: words });

const opaque: fc.Arbitrary<Part> = plain({
  executableCode: plain({ language: fc.constant('PYTHON'), code: fc.string() }),
}).map((value) => ({ type: 'opaque', dialect: 'gemini', value }));

function toolCall(id: string): fc.Arbitrary<ToolCallPart> {
  return plain({
    type: fc.constant('tool_call' as const),
    id: fc.constant(id),
    name,
    kind: fc.constant('function' as const),
    arguments: jsonObjectText,
    signature,
  });
}

function toolResult(call: ToolCallPart): fc.Arbitrary<ToolResultPart> {
  const shown = fc.oneof(
    words.map((one) => `it is ${one}`),
    jsonObjectText.map((object) => `{"found":${object}}`),
  );
  const result = shown.map((one) => ({
    type: 'tool_result' as const,
    callId: call.id,
    name: call.name,
    parts: [{ type: 'text' as const, text: one }],
  }));
  return fc.oneof(
    result,
    result.map((one) => ({ ...one, isError: true })),
  );
}

const userMessage: fc.Arbitrary<Message> = plain({
  role: fc.constant('user' as const),
  parts: fc.array(fc.oneof(text, media), { minLength: 1, maxLength: 3 }),
});

/** A model's turn, and the results of its calls, if it has any. */
function modelTurn(turn: number): fc.Arbitrary<Message[]> {
  const said = fc.array(fc.oneof(text, signedText, thought, opaque), { minLength: 1, maxLength: 3 });
  const calls = fc
    .nat(3)
    .chain((count) =>
      fc.tuple(...Array.from({ length: count }, (_, index) => toolCall(`id-${turn}-${index}`))),
    );
  return fc.tuple(said, calls).chain(([parts, called]) => {
    const assistant: Message = { role: 'assistant', parts: [...parts, ...called] };
    if (called.length === 0) return fc.constant([assistant]);
    return fc
      .tuple(...called.map(toolResult))
      .map((results): Message[] => [assistant, { role: 'tool', parts: results }]);
  });
}

const systemMessage: fc.Arbitrary<Message> = plain({
  role: fc.constant('system' as const),
  parts: fc.array(text, { minLength: 1, maxLength: 2 }),
});

/** Roles alternate: a model's turn follows each of the user's; results of tools may be followed by either. */
const messages: fc.Arbitrary<Message[]> = fc
  .tuple(
    fc.option(systemMessage, { nil: undefined }),
    userMessage,
    fc.array(fc.tuple(fc.nat(), userMessage), { maxLength: 3 }),
  )
  .chain(([system, first, rounds]) =>
    fc
      .tuple(...rounds.map(([, next], round) => modelTurn(round).map((turn) => [...turn, next])))
      .map((turns) => [...(system ? [system] : []), first, ...turns.flat()]),
  );

const functionTool: fc.Arbitrary<Tool> = fc.oneof(
  plain({ type: fc.constant('function' as const), name }),
  plain({
    type: fc.constant('function' as const),
    name,
    description: words,
    schema: jsonObjectText.map(
      (properties) => ({ type: 'object', properties: JSON.parse(properties) }) as JsonObject,
    ),
  }),
);

const tools: fc.Arbitrary<Tool[]> = fc
  .tuple(
    fc.array(functionTool, { maxLength: 3 }),
    fc.array(fc.constant<Tool>({ type: 'opaque', dialect: 'gemini', value: { googleSearch: {} } }), {
      maxLength: 1,
    }),
  )
  .map(([functions, served]) => [...functions, ...served]);

const number = fc.integer({ min: 0, max: 1000 });

const parameters = plain(
  {
    maxOutputTokens: number,
    temperature: number,
    topP: number,
    topK: number,
    frequencyPenalty: number,
    presencePenalty: number,
    seed: number,
    stop: fc.array(words, { minLength: 1, maxLength: 2 }),
    n: number,
    logprobs: fc.boolean(),
    topLogprobs: number,
  },
  [],
);

const options = plain(
  {
    toolChoice: fc.constantFrom<ToolChoice>(
      { type: 'auto' },
      { type: 'none' },
      { type: 'required' },
      { type: 'tool', name: 'f' },
      { type: 'allowed', mode: 'required', names: ['f', 'g'] },
      { type: 'allowed', mode: 'auto', names: ['f'] },
    ),
    responseFormat: fc.constantFrom<ResponseFormat>(
      { type: 'text' },
      { type: 'json_object' },
      { type: 'json_schema', name: 'Title', schema: { title: 'Title', type: 'object' } },
      { type: 'json_schema', name: 'response', schema: { enum: ['a'] } },
    ),
    reasoning: fc.constantFrom<ReasoningRequest>(
      { effort: 'low' },
      { effort: 'minimal', includeText: true },
      { budgetTokens: -1 },
      { budgetTokens: 5, includeText: false },
    ),
    extra: fc.constantFrom<Extra>(
      { dialect: 'gemini', fields: { cachedContent: 'cachedContents/x' } },
      {
        dialect: 'gemini',
        fields: { toolConfig: { retrievalConfig: {} }, generationConfig: { speechConfig: {} } },
      },
    ),
  },
  [],
);

export const geminiConversation: fc.Arbitrary<Conversation> = plain({
  messages,
  tools,
  parameters,
  options,
  stream: fc.boolean(),
}).map(({ options: chosen, ...rest }) => ({
  dialect: 'gemini',
  model: 'gemini-3-flash-preview',
  ...rest,
  ...chosen,
}));

/**
 * Parts that a stream can tell apart: texts of one type in a row run together unless the first is signed, and an
 * empty signed text after an unsigned one is that one's signature.
 */
function tellApart(parts: Part[]): Part[] {
  const apart: Part[] = [];
  for (const part of parts) {
    const before = apart.at(-1);
    const isText = part.type === 'text' || part.type === 'reasoning';
    if (!(isText && before?.type === part.type && !('signature' in before))) apart.push(part);
  }
  return apart;
}

const answerParts: fc.Arbitrary<Part[]> = fc
  .array(
    fc.oneof(
      plain({ type: fc.constant('text' as const), text: words }),
      signedText,
      thought,
      opaque,
      media,
      fc.uuid().chain(toolCall),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map(tellApart);

const token = fc.tuple(words, fc.integer({ min: -9, max: 0 })).map(([word, logprob]) => ({
  token: word,
  logprob,
  bytes: [...Buffer.from(word)],
}));

const logprobs = fc
  .array(
    fc.tuple(token, fc.array(token, { minLength: 1, maxLength: 2 })).map(([chosen, top]) => ({
      ...chosen,
      top_logprobs: top,
    })),
    { minLength: 1, maxLength: 3 },
  )
  .map((content) => ({ content, refusal: null }));

const choiceBody = plain(
  {
    parts: answerParts,
    cut: fc.constantFrom<FinishReason>('length', 'content_filter', 'malformed_tool_call', 'other'),
    logprobs,
    extra: fc.constant<Extra>({ dialect: 'gemini', fields: { avgLogprobs: -1, safetyRatings: [] } }),
  },
  ['parts'],
);

function choice({ cut, ...body }: { parts: Part[]; cut?: FinishReason }, index: number): Choice {
  const called = body.parts.some(({ type }) => type === 'tool_call');
  // An answer that failed without any output is none.
  const saysNothing = body.parts.every(({ type }) => type === 'reasoning');
  const end = saysNothing && cut !== undefined ? 'length' : cut;
  return { index, ...body, finish: end ?? (called ? 'tool_calls' : 'stop') };
}

const usage = plain({
  input: fc.integer({ min: 1, max: 999 }),
  cacheRead: number,
  output: number,
  reasoning: number,
}).map((buckets) => ({ ...NO_USAGE, ...buckets }));

export const geminiCompletion: fc.Arbitrary<Completion> = plain(
  {
    id: words,
    model: words,
    choices: fc.array(choiceBody, { minLength: 1, maxLength: 3 }).map((bodies) => bodies.map(choice)),
    usage,
    extra: fc.constant<Extra>({
      dialect: 'gemini',
      fields: { usageMetadata: { serviceTier: 'standard' }, modelStatus: { stage: 'STABLE' } },
    }),
  },
  ['id', 'model', 'choices'],
);
