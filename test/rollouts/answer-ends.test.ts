import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const KEY = 'upstream-key-0123456789';
const fakes = {
  openai: await startFakeOpenAi({ apiKey: KEY }),
  anthropic: await startFakeAnthropic({ apiKey: KEY }),
  gemini: await startFakeGemini({ apiKey: KEY }),
};
const MOVES = {
  openai: ['gpt-4.1-mini', 'gpt-4.1'],
  anthropic: ['claude-sonnet-4-5', 'claude-opus-4-5'],
  gemini: ['gemini-2.5-flash', 'gemini-2.5-pro'],
} as const;
type Vendor = keyof typeof MOVES;
const vendors = Object.entries(MOVES) as [Vendor, readonly [string, string]][];

function ofEach<T>(make: (vendor: Vendor, old: string, next: string) => T): Record<string, T> {
  return Object.fromEntries(vendors.map(([vendor, [old, next]]) => [vendor, make(vendor, old, next)]));
}

const gateway = await startGateway({
  providers: ofEach((vendor) => ({
    baseUrl: fakes[vendor].url,
    accounts: [{ name: 'main', apiKey: KEY }],
  })),
  models: ofEach((vendor, old) => ({ targets: [`${vendor}/${old}`] })),
  rollouts: ofEach((vendor, old, next) => ({
    ...{ model: vendor, stable: `${vendor}/${old}`, candidate: `${vendor}/${next}` },
    ...{ steps: [{ weight: 50, hold: '10m' }], gates: { minCalls: 10_000 } },
  })),
});
after(async () => {
  await gateway.stop();
  for (const fake of Object.values(fakes)) await fake.close();
});
for (const [vendor] of vendors) await adminClient(gateway.url).must('POST', `/rollouts/${vendor}/start`);

const DOORS: Record<
  string,
  (model: string, content: string, stream: boolean) => [path: string, body: object]
> = {
  chat: (model, content, stream) => [
    '/v1/chat/completions',
    { model, stream, messages: [{ role: 'user', content }] },
  ],
  responses: (model, input, stream) => ['/v1/responses', { model, stream, input }],
  messages: (model, content, stream) => [
    '/v1/messages',
    { model, stream, max_tokens: 100, messages: [{ role: 'user', content }] },
  ],
  gemini: (model, text, stream) => [
    `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    { contents: [{ role: 'user', parts: [{ text }] }] },
  ],
};

/** How a vendor's model ends an answer, by the fakes' words for it, and what gate that is of. */
const ENDS: [vendor: Vendor, content: string, flags: string[]][] = [
  ['openai', 'refuse', ['read', 'refused']],
  ['openai', 'block', ['read', 'filtered']],
  ['openai', 'Hi', ['read']],
  ['anthropic', 'refuse', ['read', 'refused']],
  ['gemini', 'block', ['read', 'filtered']],
];

test('a refusal, and what a filter stopped, is told by what the provider said, in whatever words a client is told it', async () => {
  const asked = ENDS.flatMap(([vendor, content, flags]) =>
    Object.keys(DOORS).flatMap((door) =>
      [false, true].map((stream) => ({ vendor, content, flags, door, stream })),
    ),
  );
  const ids: (string | null)[] = [];
  for (const { vendor, content, door, stream } of asked) {
    const [path, body] = DOORS[door]?.(vendor, content, stream) ?? assert.fail();
    const response = await gateway.post(path, body, { headers: { 'x-goog-api-key': TEST_KEY } });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    ids.push(response.headers.get('x-request-id'));
  }
  const records = new Map<string | null, UsageRecord>(
    (await gateway.calls(asked.length)).map((record) => [record.id, record]),
  );
  const say = ({ vendor, content, door, stream }: (typeof asked)[number], flags?: readonly string[]) =>
    `${vendor}: ${content}, at ${door}${stream ? ' (stream)' : ''}: ${flags}`;
  assert.deepEqual(
    asked.map((one, index) => say(one, records.get(ids[index] ?? null)?.rollout?.flags)),
    asked.map((one) => say(one, one.flags)),
  );
});
