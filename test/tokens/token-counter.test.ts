import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { CountThread } from '../../src/tokens/count-thread.ts';
import { countText } from '../../src/tokens/encoders.ts';
import type { Encoding } from '../../src/tokens/families.ts';
import { TokenCounter } from '../../src/tokens/token-counter.ts';
import { scale } from '../support/scale.ts';

const counter = new TokenCounter();
after(() => counter.stop());

function count(model: string, request: JsonObject): Promise<number> {
  return counter.countConversation(chat.decodeRequest({ model, ...request }, {}), model);
}

/** The texts and counts of OpenAI's cookbook, "How to count tokens with tiktoken". */
test('texts count what the cookbook says', () => {
  const known: [text: string, cl100k: number, o200k: number][] = [
    ['tiktoken is great!', 6, 6],
    ['antidisestablishmentarianism', 6, 6],
    ['2 + 2 = 4', 7, 7],
    ['お誕生日おめでとう', 9, 8],
    ['', 0, 0],
  ];
  for (const [text, cl100k, o200k] of known) {
    assert.equal(countText('cl100k_base', text), cl100k, text);
    assert.equal(countText('o200k_base', text), o200k, text);
  }
});

test("the cookbook's conversation counts what the API reported for it", async () => {
  const messages = [
    {
      role: 'system',
      content:
        'You are a helpful, pattern-following assistant that translates corporate jargon into plain English.',
    },
    { role: 'system', name: 'example_user', content: 'New synergies will help drive top-line growth.' },
    {
      role: 'system',
      name: 'example_assistant',
      content: 'Things working well together will increase revenue.',
    },
    {
      role: 'system',
      name: 'example_user',
      content:
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    },
    {
      role: 'system',
      name: 'example_assistant',
      content: "Let's talk later when we're less busy about how to do better.",
    },
    {
      role: 'user',
      content: "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
  ];
  for (const model of ['gpt-3.5-turbo', 'gpt-4-0613', 'gpt-4'])
    assert.equal(await count(model, { messages }), 129, model);
  for (const model of ['gpt-4o', 'openai/gpt-4o-mini', 'azure/gpt-4o']) {
    assert.equal(await count(model, { messages }), 124, model);
  }
});

test("the cookbook's tool counts what the API reported for it, but for a token", async () => {
  const parameters = {
    type: 'object',
    properties: {
      location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
      unit: {
        type: 'string',
        description: 'The unit of temperature to return',
        enum: ['celsius', 'fahrenheit'],
      },
    },
    required: ['location'],
  };
  const request = {
    messages: [
      {
        role: 'system',
        content: 'You are a helpful assistant that can answer to questions about the weather.',
      },
      { role: 'user', content: "What's the weather like in San Francisco?" },
    ],
    tools: [
      {
        type: 'function',
        function: {
          name: 'get_current_weather',
          description: 'Get the current weather in a given location',
          parameters,
        },
      },
    ],
  };
  assert.ok(Math.abs((await count('gpt-4', request)) - 105) <= 1);
  assert.ok(Math.abs((await count('gpt-4o', request)) - 101) <= 1);
});

test('what looks like a special token in a text is text', () => {
  assert.ok(countText('o200k_base', '<|endoftext|>') > 1);
});

/** Each is one run to the vocabulary's pattern: merged as a whole they would take minutes to hours. */
test('a megabyte without a word in it is counted', async () => {
  const units = ['a', ' ', '\n', '\t', '😀', '漢', '=', '\u0301', '\u00a0', '👨‍👩‍👧‍👦', '\ud800'];
  for (const unit of scale({ sample: units.slice(0, 5), heavy: units })) {
    const text = unit.repeat(Math.ceil((1024 * 1024) / Buffer.byteLength(unit)));
    const tokens = await counter.countTexts([text], 'gpt-4o');
    assert.ok(tokens > 0 && tokens <= 1024 * 1024 + 3, `${JSON.stringify(unit)}: ${tokens}`);
    // The same density as in a run that is short enough to stay whole.
    const density = countText('o200k_base', unit.repeat(200)) / 200;
    const units = text.length / unit.length;
    assert.ok(
      Math.abs(tokens / units - density) <= 0.05 + density * 0.05,
      `${JSON.stringify(unit)}: ${tokens}`,
    );
  }
});

test('a long text counts the same on the thread, in slices, as in one piece', async () => {
  const text = 'The quick brown fox (aged 7) jumps over the lazy dog; "why?", asks 犬. '.repeat(4000);
  assert.equal(await counter.countTexts([text], 'gpt-4o'), countText('o200k_base', text));
});

test('short texts are counted while a long one is', async () => {
  const done: string[] = [];
  const long = counter.countTexts(['one two three '.repeat(200_000)], 'gpt-4o').then(() => done.push('long'));
  const short = counter.countTexts(['hello'], 'gpt-4o').then(() => done.push('short'));
  await Promise.all([long, short]);
  assert.deepEqual(done, ['short', 'long']);
});

test('text beyond what may wait is refused, and taken again when there is room', async () => {
  const small = new TokenCounter({ maxWaitingChars: 1000 });
  const first = small.countTexts(['a b '.repeat(200)], 'gpt-4o');
  await assert.rejects(small.countTexts(['a b '.repeat(200)], 'gpt-4o'), isOverloaded);
  assert.ok((await first) > 0);
  assert.ok((await small.countTexts(['a b '.repeat(200)], 'gpt-4o')) > 0);
  small.stop();
});

test('a counter that stops fails what it has not counted, and takes no more', async () => {
  const stopping = new TokenCounter();
  const counting = stopping.countTexts(['a b '.repeat(100_000)], 'gpt-4o');
  const rejected = assert.rejects(counting, isOverloaded);
  stopping.stop();
  await rejected;
  await assert.rejects(stopping.countTexts(['a'], 'gpt-4o'), isOverloaded);
});

test('texts that cannot be counted fail alone: the thread goes on', async () => {
  const thread = new CountThread();
  const texts = ['tiktoken is great!'];
  const [unknown, known] = await Promise.allSettled([
    thread.count({ encoding: 'no_such' as Encoding, texts }),
    thread.count({ encoding: 'o200k_base', texts }),
  ]);
  assert.match(String(unknown.status === 'rejected' && unknown.reason), /tokens could not be counted/);
  assert.deepEqual(known, { status: 'fulfilled', value: 6 });
});

test('a counter that is not stopped does not keep the process alive', () => {
  const script = `
    import { TokenCounter } from ${JSON.stringify(new URL('../../src/tokens/token-counter.ts', import.meta.url).href)};
    console.log(await new TokenCounter().countTexts(['tiktoken is great!'], 'gpt-4o'));
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(run.stdout.trim(), '6', run.stderr);
  assert.equal(run.status, 0);
});

function isOverloaded(error: unknown): boolean {
  return error instanceof GatewayError && error.kind === 'overloaded';
}
