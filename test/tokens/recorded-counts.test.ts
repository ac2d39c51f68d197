import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import type { Conversation } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { isObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import { inputTokens } from '../../src/conversation/usage.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { TokenCounter } from '../../src/tokens/token-counter.ts';
import { type Exchange, readExchanges, skipWithoutWire } from '../support/wire.ts';

const counter = new TokenCounter();
after(() => counter.stop());

type SpokenByCallers = CallerDialectName & keyof typeof DIALECTS;

interface Counted {
  id: string;
  model: string;
  conversation: Conversation;
  /** Input tokens as the provider reported them, and as we count. */
  reported: number;
  counted: number;
}

/** Every recorded request that was answered with its usage. */
async function countAll(provider: string, dialect: SpokenByCallers): Promise<Counted[]> {
  const all: Counted[] = [];
  for (const exchange of readExchanges(provider)) {
    const { body } = exchange.request;
    const reported = reportedInput(exchange, dialect);
    if (!isObject(body) || reported === undefined) continue;
    const model = /models\/([^:?]+)/.exec(exchange.url)?.[1] ?? String(body.model);
    if (dialect === 'gemini' && !Array.isArray(body.contents)) continue;
    // Counting needs no limit of the output, and such requests have none.
    const request = dialect === 'messages' ? { max_tokens: 1, ...body } : body;
    const conversation = DIALECTS[dialect].decodeRequest(request, { model });
    const counted = await counter.countConversation(conversation, model);
    all.push({ id: exchange.id, model, conversation, reported, counted });
  }
  assert.ok(all.length > 0);
  return all;
}

/** The newest usage that an answer states: of a stream's events the last. */
function reportedInput({ response }: Exchange, dialect: SpokenByCallers): number | undefined {
  if (response.status !== 200) return undefined;
  const { body } = response;
  if (isObject(body) && typeof body.input_tokens === 'number') return body.input_tokens;
  if (typeof body !== 'string') return readUsage(body, dialect);
  const decoder = DIALECTS[dialect].streamDecoder();
  let input: number | undefined;
  for (const [, data] of body.matchAll(/^data: ?(.*)$/gm)) {
    const type = tryParseJson(data ?? '');
    const event = isObject(type) && typeof type.type === 'string' ? type.type : undefined;
    for (const said of decoder.push({ event, data: data ?? '' })) {
      if (said.type === 'usage') input = inputTokens(said.usage);
    }
  }
  return input;
}

function readUsage(body: JsonValue, dialect: SpokenByCallers): number | undefined {
  try {
    const { usage } = DIALECTS[dialect].decodeResponse(body);
    return usage && inputTokens(usage);
  } catch (error) {
    // An answer without content: other tests say what becomes of it.
    assert.ok(error instanceof GatewayError);
    return undefined;
  }
}

const MEDIA = /"type":"(?:image|audio|file)"/;
/** Tools and content that the provider runs, keeps or fills in by itself. */
const HOSTED =
  /"type":"opaque"|"(?:mcp_servers|web_search_options|container|context_management|cachedContent)":/;

function isPlain({ conversation }: Counted): boolean {
  const text = JSON.stringify(conversation);
  return !MEDIA.test(text) && !HOSTED.test(text);
}

function offBy({ reported, counted }: Counted): number {
  return Math.abs(counted - reported);
}

/** Asserts how far the counts are off in relation to what was reported, in the middle and at the worst tenth. */
function assertSpread(t: TestContext, counts: Counted[], most: { median: number; p90: number }): void {
  const errors = counts.map((one) => offBy(one) / one.reported).sort((a, b) => a - b);
  const at = (share: number) => errors[Math.min(errors.length - 1, Math.floor(share * errors.length))] ?? 0;
  const spread = { median: at(0.5), p90: at(0.9), max: at(1) };
  const shown = Object.entries(spread).map(([name, error]) => `${name} ${(error * 100).toFixed(1)} %`);
  t.diagnostic(`${counts.length} recordings: ${shown.join(', ')}`);
  assert.ok(errors.length >= 5);
  for (const key of ['median', 'p90'] as const) {
    assert.ok(spread[key] <= most[key], `${key}: ${spread[key]} is more than ${most[key]}`);
  }
}

test('OpenAI: text counts exactly', { skip: skipWithoutWire }, async (t) => {
  const counts = (await countAll('openai-chat', 'chat')).filter(isPlain);
  const text = counts.filter(
    ({ conversation }) =>
      conversation.tools.length === 0 && !/"tool_call"|"json_schema"/.test(JSON.stringify(conversation)),
  );
  t.diagnostic(`${text.length} recordings`);
  assert.ok(text.length >= 15);
  for (const { id, model, reported, counted } of text) assert.equal(counted, reported, `${model} ${id}`);
});

test('OpenAI: with tools and tool calls it is four tokens at most', { skip: skipWithoutWire }, async (t) => {
  const counts = (await countAll('openai-chat', 'chat')).filter(isPlain);
  const tools = counts.filter(
    ({ conversation }) =>
      conversation.tools.length > 0 && conversation.responseFormat?.type !== 'json_schema',
  );
  for (const one of tools) assert.ok(offBy(one) <= 4, `${one.id}: ${one.counted} for ${one.reported}`);
  const exact = tools.filter((one) => offBy(one) === 0).length;
  t.diagnostic(`${exact} of ${tools.length} recordings are exact`);
  assertSpread(t, tools, { median: 0.01, p90: 0.03 });
});

test('Anthropic: conversations of more than a sentence', { skip: skipWithoutWire }, async (t) => {
  const counts = (await countAll('anthropic-messages', 'messages')).filter(isPlain);
  const long = counts.filter(({ reported }) => reported >= 100);
  assertSpread(t, long, { median: 0.05, p90: 0.15 });
  for (const one of counts.filter(({ reported }) => reported < 100)) {
    assert.ok(offBy(one) <= 40, `${one.id}: ${one.counted} for ${one.reported}`);
  }
});

test('Anthropic: what count_tokens answered', { skip: skipWithoutWire }, async () => {
  const counts = await countAll('anthropic-count-tokens', 'messages');
  assert.equal(counts.length, 2);
  for (const one of counts) {
    assert.ok(offBy(one) <= one.reported * 0.15, `${one.id}: ${one.counted} for ${one.reported}`);
  }
});

test('Gemini: text', { skip: skipWithoutWire }, async (t) => {
  const counts = (await countAll('gemini', 'gemini')).filter(isPlain);
  const text = counts.filter(({ conversation }) => conversation.tools.length === 0);
  t.diagnostic(`${text.length} recordings`);
  for (const one of text) assert.ok(offBy(one) <= 6, `${one.id}: ${one.counted} for ${one.reported}`);
});

test('Gemini: tools, and reasoning that is carried back', { skip: skipWithoutWire }, async (t) => {
  const counts = (await countAll('gemini', 'gemini')).filter(isPlain);
  const tools = counts.filter(({ conversation }) => conversation.tools.length > 0);
  assertSpread(t, tools, { median: 0.1, p90: 0.35 });
});

test('models with vocabularies of their own', { skip: skipWithoutWire }, async (t) => {
  const counts: Counted[] = [];
  for (const provider of ['groq', 'mistral', 'deepseek', 'cerebras', 'zai']) {
    const plain = (await countAll(provider, 'chat')).filter(isPlain);
    // A compound of models has prompts of its own.
    counts.push(...plain.filter(({ model }) => !model.startsWith('compound')));
  }
  const distinct = new Map(counts.map((one) => [`${one.model} ${one.reported}`, one]));
  assertSpread(t, [...distinct.values()], { median: 0.12, p90: 0.45 });
});
