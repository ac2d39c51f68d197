import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closing.map((close) => close())));

const KEY = 'upstream-key-0123456789';
const gemini = await startFakeGemini({ apiKey: KEY });
const anthropic = await startFakeAnthropic({ apiKey: KEY });
const openai = await startFakeOpenAi({ apiKey: KEY });
/** Answers where others refuse. */
const other = await startRawUpstream((response, body) => {
  const { stream } = JSON.parse(body) as { stream?: boolean };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  response.end(
    stream
      ? `${chatChunk('Words of the other')}${chatChunk('', 'stop')}data: [DONE]\n\n`
      : chatAnswer('Words of the other'),
  );
});
/** Refuses, and says its last word a moment later. */
const slow = await startRawUpstream((response, body) => {
  const { stream } = JSON.parse(body) as { stream?: boolean };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (!stream) {
    response.end(chatAnswer('').replace('"stop"', '"content_filter"'));
    return;
  }
  response.write(chatChunk('') + chatChunk('', 'content_filter'));
  setTimeout(() => response.end('data: [DONE]\n\n'), 50);
});
/** Refuses as Gemini does, with a part of no text. */
const empty = await startRawUpstream((response, _body, { url = '' }) => {
  const stream = url.includes('streamGenerateContent');
  const answer = JSON.stringify({
    candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'SAFETY', index: 0 }],
    usageMetadata: { promptTokenCount: 4, totalTokenCount: 4 },
    modelVersion: 'gemini-2.5-flash',
  });
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  response.end(stream ? `data: ${answer}\r\n\r\n` : answer);
});
const accounts = [{ name: 'main', apiKey: KEY }];
const TARGETS = {
  gemini: 'gemini/gemini-2.5-flash',
  anthropic: 'anthropic/claude-sonnet-4-5',
  openai: 'openai/gpt-4.1-mini',
  slow: 'slow/x',
  empty: 'empty/gemini-2.5-flash',
};
const gateway = await startGateway({
  providers: {
    gemini: { baseUrl: gemini.url, accounts },
    anthropic: { baseUrl: anthropic.url, accounts },
    openai: { baseUrl: openai.url, accounts },
    slow: { adapter: 'openai-compatible', baseUrl: slow.baseUrl, accounts },
    empty: { adapter: 'gemini', baseUrl: empty.baseUrl.replace('/v1', ''), accounts },
    other: { adapter: 'openai-compatible', baseUrl: other.baseUrl, accounts },
  },
  models: Object.fromEntries(
    Object.entries(TARGETS).flatMap(([name, target]) => [
      [name, { targets: [target], fallbacks: { contentPolicy: ['other/x'] } }],
      [`${name}-alone`, { targets: [target], fallbacks: { contextLength: ['other/x'] } }],
    ]),
  ),
});
closing.push(gateway.stop, gemini.close, anthropic.close, openai.close, other.close, slow.close, empty.close);

const DOORS: Record<
  string,
  (model: string, content: string, stream: boolean) => [path: string, body: object]
> = {
  chat: (model, content, stream) => [
    '/v1/chat/completions',
    { model, stream, messages: [{ role: 'user', content }] },
  ],
  messages: (model, content, stream) => [
    '/v1/messages',
    { model, stream, max_tokens: 100, messages: [{ role: 'user', content }] },
  ],
  gemini: (model, content, stream) => [
    `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    { contents: [{ role: 'user', parts: [{ text: content }] }] },
  ],
};

async function ask(door: string, model: string, content: string, stream: boolean) {
  const [path, body] = DOORS[door]?.(model, content, stream) ?? assert.fail();
  const response = await gateway.post(path, body);
  const text = await response.text();
  const { status, headers } = response;
  const id = headers.get('x-request-id');
  return {
    id,
    status,
    text,
    target: headers.get('x-fairlead-target'),
    attempts: headers.get('x-fairlead-attempts'),
  };
}

/** How a model refuses a call in an answer, by the fakes' words for it. */
const REFUSALS: [model: keyof typeof TARGETS, content: string][] = [
  ['gemini', 'block'],
  ['gemini', 'refuse'],
  ['openai', 'block'],
  ['anthropic', 'block'],
  ['slow', 'block'],
  ['empty', 'block'],
];

for (const [model, content] of REFUSALS) {
  for (const door of Object.keys(DOORS)) {
    for (const stream of [false, true]) {
      const what = `${content} of ${model} at the ${door} door${stream ? ', streamed' : ''}`;
      test(`${what}: an answer that is a refusal goes to the fallback for it`, async () => {
        const { status, text, target, attempts } = await ask(door, model, content, stream);
        assert.deepEqual([status, target, attempts], [200, 'other/x', '2'], text);
        assert.match(text, /Words of the other/);
        assert.doesNotMatch(text, /SAFETY|PROHIBITED|content_filter/);
      });

      test(`${what}: without such a fallback it is the answer`, async () => {
        const { status, target, attempts } = await ask(door, `${model}-alone`, content, stream);
        assert.deepEqual([status, target, attempts], [200, TARGETS[model], '1']);
      });
    }
  }
}

test('what answers is answered as ever, in the same pieces', async () => {
  for (const door of Object.keys(DOORS)) {
    for (const stream of [false, true]) {
      for (const model of ['gemini', 'openai', 'anthropic']) {
        const said = await ask(door, model, 'hi', stream);
        assert.deepEqual([said.status, said.attempts], [200, '1'], said.text);
      }
    }
  }
});

test('what a blocked prompt used by its provider’s own word stays with its attempt', async () => {
  const { id } = await ask('chat', 'gemini', 'block', false);
  let record: UsageRecord | undefined;
  while (!record) record = (await gateway.calls()).find((one) => one.id === id);
  const [first] = record?.attempts ?? [];
  assert.equal(first?.target, TARGETS.gemini);
  assert.equal(first?.outcome, 'upstream_rejected');
  assert.equal(first?.reason, 'content_filter');
  assert.ok((first?.usage?.input ?? 0) > 0);
});
