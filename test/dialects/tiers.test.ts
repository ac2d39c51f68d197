import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { scanAnswer } from '../../src/dialects/answer-scan.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough as chatPass } from '../../src/dialects/chat/pass-through.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import type { CallerDialectName, UpstreamDialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { passThrough as geminiPass } from '../../src/dialects/gemini/pass-through.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { passThrough as messagesPass } from '../../src/dialects/messages/pass-through.ts';
import type { PassThrough } from '../../src/dialects/pass-through.ts';
import { findTopLevelFields } from '../../src/dialects/request-fields.ts';
import { responses } from '../../src/dialects/responses/index.ts';
import { passThrough as responsesPass } from '../../src/dialects/responses/pass-through.ts';
import { readAskedTier } from '../../src/dialects/tiers.ts';

const chatAnswer = (fields: JsonObject): JsonObject => ({
  id: 'c',
  choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  ...fields,
});
const response = (fields: JsonObject): JsonObject => ({
  id: 'r',
  status: 'completed',
  output: [],
  usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
  ...fields,
});
const message = (usage: JsonObject): JsonObject => ({
  id: 'm',
  type: 'message',
  role: 'assistant',
  content: [{ type: 'text', text: 'x' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 3, output_tokens: 2, ...usage },
});
const generated = (usage: JsonObject): JsonObject => ({
  candidates: [{ content: { role: 'model', parts: [{ text: 'x' }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, ...usage },
});
const conversed = (fields: JsonObject): JsonObject => ({
  output: { message: { role: 'assistant', content: [{ text: 'x' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 3, outputTokens: 2 },
  ...fields,
});

const ANSWERS: [UpstreamDialect, PassThrough | undefined, JsonObject, tier: string | undefined][] = [
  [chat, chatPass, chatAnswer({ service_tier: 'priority' }), 'priority'],
  [chat, chatPass, chatAnswer({ service_tier: 'fast' }), 'priority'],
  [chat, chatPass, chatAnswer({ service_tier: 'default' }), undefined],
  [chat, chatPass, chatAnswer({ service_tier: 'on_demand' }), undefined],
  [chat, chatPass, chatAnswer({ service_tier: null }), undefined],
  [chat, chatPass, chatAnswer({ service_tier: 'two words' }), 'unknown'],
  [chat, chatPass, chatAnswer({ metadata: { service_tier: 'flex' }, service_tier: 'priority' }), 'priority'],
  [responses, responsesPass, response({ service_tier: 'flex' }), 'flex'],
  [
    responses,
    responsesPass,
    response({ service_tier: 'priority', metadata: { service_tier: 'flex' } }),
    'priority',
  ],
  [
    responses,
    responsesPass,
    response({ service_tier: 'auto', metadata: { service_tier: 'flex' } }),
    undefined,
  ],
  [messages, messagesPass, message({ speed: 'fast' }), 'fast'],
  [messages, messagesPass, message({ inference_geo: 'us' }), 'us'],
  [
    messages,
    messagesPass,
    message({ service_tier: 'batch', speed: 'fast', inference_geo: 'us' }),
    'batch+fast+us',
  ],
  [
    messages,
    messagesPass,
    message({ service_tier: 'standard', speed: 'standard', inference_geo: 'not_available' }),
    undefined,
  ],
  [messages, messagesPass, message({ speed: null, inference_geo: 'global' }), undefined],
  [gemini, geminiPass, generated({ serviceTier: 'priority' }), 'priority'],
  [gemini, geminiPass, generated({ service_tier: 'SERVICE_TIER_FLEX' }), 'flex'],
  [gemini, geminiPass, generated({ serviceTier: 'standard' }), undefined],
  [gemini, geminiPass, generated({ trafficType: 'ON_DEMAND' }), undefined],
  [gemini, geminiPass, generated({ trafficType: 'ON_DEMAND_PRIORITY' }), 'priority'],
  [gemini, geminiPass, generated({ trafficType: 'ON_DEMAND_FLEX' }), 'flex'],
  [gemini, geminiPass, generated({ trafficType: 'PROVISIONED_THROUGHPUT' }), 'provisioned'],
  [converse, undefined, conversed({ serviceTier: { type: 'flex' } }), 'flex'],
  [converse, undefined, conversed({ serviceTier: { type: 'default' } }), undefined],
  [converse, undefined, conversed({ performanceConfig: { latency: 'optimized' } }), 'optimized'],
];

for (const [dialect, pass, answer, tier] of ANSWERS) {
  test(`a whole ${dialect.name} answer is of the tier ${tier}: ${JSON.stringify(answer).slice(-90)}`, () => {
    assert.equal(dialect.readUsage(answer)?.tier, tier, 'as a failed answer');
    assert.equal(dialect.decodeResponse(answer).usage?.tier, tier, 'translated');
    if (!pass) return;
    const body = Buffer.from(JSON.stringify(answer));
    const read = pass.readUsage(body, scanAnswer(body));
    assert.equal(read?.tier, tier, 'relayed');
    assert.equal('tier' in (read ?? {}), tier !== undefined);
    const large = Buffer.from(JSON.stringify({ ...answer, filler: 'x'.repeat(100_000) }));
    assert.equal(pass.readUsage(large, scanAnswer(large))?.tier, tier, 'relayed, and too large for a walk');
  });
}

test('of a large answer that is only there by its end the last word counts', () => {
  const end = Buffer.from('"}],"usage":{"prompt_tokens":3,"completion_tokens":2},"service_tier":"priority"}');
  assert.equal(chatPass.readUsage(end)?.tier, 'priority');
});

const event = (value: unknown, name = '') => ({ event: name, data: JSON.stringify(value) });
const chunk = (fields: JsonObject): JsonObject => ({
  ...{ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' },
  ...fields,
});
const word = { index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: null };
const STREAMS: [UpstreamDialect, PassThrough | undefined, { event: string; data: string }[], tier: string][] =
  [
    [
      chat,
      chatPass,
      [
        event(chunk({ choices: [word], service_tier: 'priority' })),
        event(chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })),
        // Servers that say it once say it at the beginning.
        event(chunk({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })),
      ],
      'priority',
    ],
    [
      chat,
      chatPass,
      [
        event(chunk({ choices: [word], service_tier: 'auto' })),
        event(chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })),
        event(
          chunk({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 }, service_tier: 'flex' }),
        ),
      ],
      'flex',
    ],
    [
      responses,
      responsesPass,
      [
        event({ type: 'response.created', response: { ...response({ service_tier: 'auto' }), usage: null } }),
        event({ type: 'response.completed', response: response({ service_tier: 'priority' }) }),
      ],
      'priority',
    ],
    [
      messages,
      messagesPass,
      [
        event({
          type: 'message_start',
          message: { ...message({ speed: 'fast', inference_geo: 'us' }), content: [], stop_reason: null },
        }),
        event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
        event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } }),
        event({ type: 'content_block_stop', index: 0 }),
        event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } }),
        event({ type: 'message_stop' }),
      ],
      'fast+us',
    ],
    [
      gemini,
      geminiPass,
      [
        event({ usageMetadata: { trafficType: 'ON_DEMAND_PRIORITY' } }),
        event(generated({ serviceTier: 'flex' })),
      ],
      'flex',
    ],
    [
      converse,
      undefined,
      [
        event({ role: 'assistant' }, 'messageStart'),
        event({ contentBlockIndex: 0, delta: { text: 'x' } }, 'contentBlockDelta'),
        event({ contentBlockIndex: 0 }, 'contentBlockStop'),
        event({ stopReason: 'end_turn' }, 'messageStop'),
        event({ usage: { inputTokens: 3, outputTokens: 2 }, serviceTier: { type: 'priority' } }, 'metadata'),
      ],
      'priority',
    ],
  ];

for (const [dialect, pass, events, tier] of STREAMS) {
  test(`a ${dialect.name} stream is of the tier ${tier}`, () => {
    const decoder = dialect.streamDecoder();
    const decoded = [...events.flatMap((message) => decoder.push(message)), ...decoder.end()];
    const usages = decoded.flatMap((happened) => (happened.type === 'usage' ? [happened.usage] : []));
    assert.equal(usages.at(-1)?.tier, tier, 'translated');
    if (!pass) return;
    const scanner = pass.streamScanner({ hideUsage: false });
    for (const { data } of events) scanner.scan(Buffer.from(`data: ${data}\n\n`));
    assert.equal(scanner.usage?.tier, tier, 'relayed');
  });
}

const ASKED: [CallerDialectName, PassThrough, JsonObject, tier: string | undefined, param?: string][] = [
  ['chat', chatPass, { service_tier: 'priority' }, 'priority', 'service_tier'],
  ['chat', chatPass, { service_tier: 'fast' }, 'priority', 'service_tier'],
  ['chat', chatPass, { service_tier: 'auto' }, undefined],
  ['chat', chatPass, { service_tier: null }, undefined],
  ['chat', chatPass, { service_tier: ['priority'] }, undefined],
  ['chat', chatPass, { metadata: { service_tier: 'priority' } }, undefined],
  ['responses', responsesPass, { service_tier: 'ultrafast' }, 'ultrafast', 'service_tier'],
  ['messages', messagesPass, { service_tier: 'standard_only', speed: 'fast' }, 'fast', 'speed'],
  ['messages', messagesPass, { inference_geo: 'us', speed: 'fast' }, 'fast+us', 'speed'],
  ['messages', messagesPass, { inference_geo: 'us' }, 'us', 'inference_geo'],
  ['messages', messagesPass, { speed: 'standard', inference_geo: 'global' }, undefined],
  ['gemini', geminiPass, { serviceTier: 'priority' }, 'priority', 'serviceTier'],
  ['gemini', geminiPass, { service_tier: 'SERVICE_TIER_PRIORITY' }, 'priority', 'service_tier'],
  ['gemini', geminiPass, {}, undefined],
];

for (const [dialect, pass, request, tier, param] of ASKED) {
  test(`a ${dialect} request asks for the tier ${tier}: ${JSON.stringify(request)}`, () => {
    const body = Buffer.from(JSON.stringify(request));
    const asked = readAskedTier(body, findTopLevelFields(body, pass.fields), dialect);
    assert.deepEqual(asked, tier === undefined ? undefined : { tier, param });
  });
}

test('a key that is escaped asks for a tier all the same', () => {
  const body = Buffer.from('{"service\\u005ftier":"prior\\u0069ty"}');
  const asked = readAskedTier(body, findTopLevelFields(body, chatPass.fields), 'chat');
  assert.equal(asked?.tier, 'priority');
});
