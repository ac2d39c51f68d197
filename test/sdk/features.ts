import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeProvider, LoggedRequest } from '../support/fake-provider.ts';
import { PIXEL_PNG } from '../support/pixel.ts';
import { type DoorClient, type Failure, type Told, type Turn, WAYS, type Way } from './door-client.ts';

/** Who is asked, and by whom. Nobody else asks this fake meanwhile. */
export interface Asking {
  door: DoorClient;
  /** As a client names it. */
  model: string;
  /** The same where what fails is not tried again. */
  once: string;
  /** A model that thinks and shows it. */
  thinker: string;
  fake: FakeProvider;
  /** Has the gateway try credentials again that a script rejected. */
  readmit(): Promise<void>;
}

/** A body gives what of the feature was not there, as far as it may be missing: the table of exceptions says where it is. */
export type FeatureBody = (asking: Asking) => Promise<string | undefined>;

const say = (user: string): Turn => ({ user });
const plain = { thoughts: '', calls: [], finish: 'stop' };

const CITY = { type: 'object', properties: { city: { type: 'string', minLength: 1 } }, required: ['city'] };
export const TOOLS = [{ name: 'get_weather', schema: CITY }, { name: 'clock' }];

const RECIPE = {
  type: 'object',
  properties: {
    title: { type: 'string' },
    minutes: { type: 'integer' },
    kind: { type: 'string', enum: ['soup', 'cake'] },
    steps: { type: 'array', items: { type: 'string' } },
  },
  required: ['title', 'minutes', 'kind', 'steps'],
  additionalProperties: false,
};

/** An answer, sent back with what its tools gave. */
function answered(of: Told, results: readonly string[]): Turn[] {
  return [{ answer: of }, { results, of }];
}

async function text({ door, model }: Asking): Promise<undefined> {
  const { answer, header } = await door.ask({ model, turns: [say('Grüße, 世界 😀')] }, 'whole');
  const tokens = { input: 3, cached: 0, output: 4, reasoning: 0 };
  assert.deepEqual(answer, { ...plain, text: 'Echo: Grüße, 世界 😀', tokens });
  // The older of Google's SDKs shows no headers.
  const target = header('x-fairlead-target');
  if (target !== null) assert.equal(target, model);
}

async function stream({ door, model }: Asking): Promise<undefined> {
  const turns = [say('Grüße, 世界 😀')];
  const { answer } = await door.ask({ model, turns }, 'streamed');
  const { tokens: _, ...said } = answer;
  assert.deepEqual(said, { ...plain, text: 'Echo: Grüße, 世界 😀' });
  const pieces: string[] = [];
  for await (const piece of door.stream({ model, turns })) pieces.push(piece);
  assert.deepEqual(pieces, ['Echo:', ' Grüße,', ' 世界', ' 😀'], 'the pieces come as they are made');
}

async function oneTool({ door, model }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    const turns = [say('call get_weather {"city":"Paris"}')];
    const { answer } = await door.ask({ model, turns, tools: TOOLS }, way);
    assert.deepEqual(answer.calls, [['get_weather', { city: 'Paris' }]]);
    assert.deepEqual([answer.text, answer.finish], ['', door.finishOfCalls]);
  }
}

const THREE_CALLS = say('call get_weather {"city":"Rome"}\ncall clock {}\ncall get_weather {"city":"Oslo"}');

async function parallelTools({ door, model }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    const { answer, ids } = await door.ask({ model, turns: [THREE_CALLS], tools: TOOLS }, way);
    assert.deepEqual(answer.calls, [
      ['get_weather', { city: 'Rome' }],
      ['clock', {}],
      ['get_weather', { city: 'Oslo' }],
    ]);
    assert.equal(answer.finish, door.finishOfCalls);
    const given = ids.filter((id) => id !== undefined);
    assert.equal(new Set(given).size, given.length, 'no two calls have the same id');
  }
}

async function toolResults({ door, model }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    const first = await door.ask({ model, turns: [THREE_CALLS], tools: TOOLS }, way);
    const turns = [THREE_CALLS, ...answered(first, ['warm', 'noon', 'cold'])];
    const { answer } = await door.ask({ model, turns, tools: TOOLS }, way);
    assert.deepEqual([answer.text, answer.finish], ['Tool said: warm, noon, cold', 'stop']);
  }
}

async function image({ door, model }: Asking): Promise<undefined> {
  const media = [{ mediaType: 'image/png', base64: PIXEL_PNG }];
  for (const way of WAYS) {
    const { answer } = await door.ask({ model, turns: [{ user: 'What is this?', media }] }, way);
    assert.equal(answer.text, 'Saw image image/png 68 bytes');
  }
}

async function structuredOutput({ door, model }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    const { answer } = await door.ask({ model, turns: [say('A recipe, please.')], schema: RECIPE }, way);
    assert.deepEqual(JSON.parse(answer.text), { title: 'text', minutes: 1, kind: 'soup', steps: ['text'] });
    assert.equal(answer.finish, 'stop');
  }
}

/** An API may keep to itself what its model thinks. */
const NOT_SHOWN = 'not shown';

/** Thoughts are shown, and go back where the provider demands them, over two rounds of tools and into the next question. */
async function reasoning({ door, thinker: model, fake }: Asking): Promise<typeof NOT_SHOWN | undefined> {
  const [weather, clock] = TOOLS;
  assert.ok(weather && clock);
  const tools = [clock, weather];
  let isShown = false;
  for (const way of WAYS) {
    const told = await door.ask({ model, turns: [say('think about maths\nHi')], thinks: true }, way);
    const { tokens, thoughts, ...said } = told.answer;
    assert.deepEqual(said, { text: 'Echo: Hi', calls: [], finish: 'stop' });
    isShown = thoughts !== '';
    if (!isShown) assert.equal(tokens.reasoning, 3);
    const checkThoughts = ({ answer }: Told, topic: string) =>
      // The templates of open models put line breaks around them.
      assert.equal(answer.thoughts.trim(), isShown ? `thinking about ${topic}` : '');
    checkThoughts(told, 'maths');

    const turns = [
      say(
        'think about maths\ncall clock\ncall get_weather {"city":"Rome"}\nthen call get_weather {"city":"Oslo"}',
      ),
    ];
    const first = await door.ask({ model, turns, tools, thinks: true }, way);
    checkThoughts(first, 'maths');
    assert.deepEqual(first.answer.calls, [
      ['clock', {}],
      ['get_weather', { city: 'Rome' }],
    ]);
    turns.push(...answered(first, ['noon', 'warm']));
    const second = await door.ask({ model, turns, tools, thinks: true }, way);
    assert.deepEqual(second.answer.calls, [['get_weather', { city: 'Oslo' }]]);
    checkReplay(fake);
    turns.push(...answered(second, ['cold']));
    const third = await door.ask({ model, turns, tools, thinks: true }, way);
    assert.equal(third.answer.text, 'Tool said: cold');
    checkReplay(fake);
    turns.push({ answer: third }, say('think about history\ncall clock'));
    const fourth = await door.ask({ model, turns, tools, thinks: true }, way);
    checkThoughts(fourth, 'history');
    assert.deepEqual(fourth.answer.calls, [['clock', {}]]);
  }
  return isShown ? undefined : NOT_SHOWN;
}

/** Signed reasoning as it must be in the request of a dialect that has signatures. */
const SIGNED: { at: RegExp; sent: RegExp }[] = [
  {
    at: /\/v1\/messages$|[rR]awPredict$/,
    sent: /"type":"thinking","thinking":"thinking about maths","signature":"[^"]+"/,
  },
  { at: /[gG]enerateContent/, sent: /"thoughtSignature":"[^"]+"/ },
  {
    at: /\/converse(-stream)?$/,
    sent: /"reasoningText":\{"text":"thinking about maths","signature":"[^"]+"/,
  },
];

/** What the fakes do not refuse, because real providers do not: a stand-in for a lost signature, and none at all. */
function checkReplay({ requests }: FakeProvider): void {
  const { path, rawBody } = requests.at(-1) ?? assert.fail('nothing was asked');
  const body = rawBody.toString('utf8');
  assert.doesNotMatch(body, /__fl1__|X19mbDFfX|skip_thought_signature/);
  for (const { at, sent } of SIGNED) if (at.test(path)) assert.match(body, sent);
}

async function stopReason({ door, model }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    // OpenAI's Responses API takes no limit below 16.
    const cut = await door.ask({ model, turns: [say('long 30')], maxTokens: 16 }, way);
    const words = Array.from({ length: 16 }, (_, index) => `word${index + 1}`);
    assert.deepEqual([cut.answer.text, cut.answer.finish], [words.join(' '), 'length']);

    const blocked = await door.ask({ model, turns: [say('block')] }, way);
    assert.equal(blocked.answer.finish, 'filter');
    // The text is a guardrail's own, if there is any.
    assert.doesNotMatch(blocked.answer.text, /Echo/);

    if (door.lacksStop === true) continue;
    const stopped = await door.ask({ model, turns: [say('stop at HALT')], stop: ['END', 'HALT'] }, way);
    assert.deepEqual([stopped.answer.text, stopped.answer.finish], ['before ', 'stop']);
  }
}

/** A provider may refuse to be asked for it. */
const NO_USAGE_OF_STREAMS = 'dropped: stream_options';

async function usage({ door, model }: Asking): Promise<typeof NO_USAGE_OF_STREAMS | undefined> {
  const turns = [say('usage cached 40\nHi')];
  const expected = { input: 44, cached: 40, output: 2, reasoning: 0 };
  const whole = await door.ask({ model, turns }, 'whole');
  assert.deepEqual([whole.answer.text, whole.answer.tokens], ['Echo: Hi', expected]);
  const streamed = await door.ask({ model, turns }, 'streamed');
  assert.equal(streamed.answer.text, 'Echo: Hi');
  // What was cached nobody can guess: where there is none, at most our estimate of the input was told.
  if (streamed.answer.tokens.cached === 0) return NO_USAGE_OF_STREAMS;
  assert.deepEqual(streamed.answer.tokens, expected);
  return undefined;
}

interface FailureRow {
  script: string;
  status: number;
  words: { messages: string; gemini: string };
}

const UNAVAILABLE = { messages: 'api_error', gemini: 'UNAVAILABLE' };

/** What goes wrong before anything of an answer is there has a status, in both ways, so that an SDK raises its own typed error. */
const FAILURES: readonly FailureRow[] = [
  {
    script: 'fail 400',
    status: 400,
    words: { messages: 'invalid_request_error', gemini: 'INVALID_ARGUMENT' },
  },
  { script: 'fail 404', status: 404, words: { messages: 'not_found_error', gemini: 'NOT_FOUND' } },
  { script: 'fail 429', status: 429, words: { messages: 'rate_limit_error', gemini: 'RESOURCE_EXHAUSTED' } },
  { script: 'fail 401', status: 502, words: UNAVAILABLE },
  { script: 'fail 500', status: 502, words: UNAVAILABLE },
  { script: 'fail 529', status: 502, words: UNAVAILABLE },
  { script: 'html 200', status: 502, words: UNAVAILABLE },
  { script: 'fail 504', status: 504, words: { messages: 'timeout_error', gemini: 'DEADLINE_EXCEEDED' } },
];

const BEFORE_OUTPUT = ['error at start', 'empty answer'];
const MID_STREAM = ['break mid-stream', 'error mid-stream', 'truncated json', 'close early'];

async function error({ door, model, once, fake, readmit }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    for (const { script, status, words } of FAILURES) {
      // What a client names itself is its own to mend; a configured model is not.
      const asked = status < 429 ? model : once;
      const failed = await fail(door, asked, `${script}\nHi`, way);
      const { failure } = failed;
      if (script === 'fail 401') await readmit();
      const isOverloaded = script === 'fail 529' && saysOverloaded({ door, fake });
      assert.deepEqual([failed.text, failure.status], ['', isOverloaded ? 529 : status], script);
      const word = isOverloaded ? 'overloaded_error' : wordFor(door, words);
      if (failure.word !== undefined) assert.equal(failure.word, word, script);
      // Bedrock does not say how long to wait.
      const says = !/\/converse/.test(fake.requests.at(-1)?.path ?? '');
      if (status === 429 && says && 'retryAfter' in failure) assert.equal(failure.retryAfter, '1');
    }
  }
  for (const script of BEFORE_OUTPUT) {
    const { text: came, failure } = await fail(door, once, `${script}\nHi`, 'streamed');
    const isOverloaded = script === 'error at start' && saysOverloaded({ door, fake });
    assert.deepEqual([came, failure.status], ['', isOverloaded ? 529 : 502], script);
  }
  for (const script of MID_STREAM) {
    const question = `${script}\nslow 1 ms per chunk\nlong 20`;
    const { text: came, failure } = await fail(door, once, question, 'streamed');
    // Google's SDK takes the status from the error in the stream.
    if (door.dialect !== 'gemini') assert.equal(failure.status, undefined, script);
    assert.match(came, /^word1 word2/, `after '${script}', what had come is kept`);
  }
}

/** Anthropic's own error reaches its own clients as it is. */
function saysOverloaded({ door, fake }: Pick<Asking, 'door' | 'fake'>): boolean {
  return door.dialect === 'messages' && /\/messages\b|rawPredict/i.test(fake.requests.at(-1)?.path ?? '');
}

function wordFor({ dialect }: DoorClient, words: FailureRow['words']): string | undefined {
  return dialect === 'messages' || dialect === 'gemini' ? words[dialect] : undefined;
}

/** Asks, and gives the text that came and the error that was raised. */
async function fail(
  door: DoorClient,
  model: string,
  content: string,
  way: Way,
): Promise<{ text: string; failure: Failure }> {
  const question = { model, turns: [say(content)] };
  let came = '';
  try {
    if (way === 'whole') came = (await door.ask(question, way)).answer.text;
    else for await (const piece of door.stream(question)) came += piece;
  } catch (raised) {
    return { text: came, failure: door.readFailure(raised) };
  }
  return assert.fail(`'${content}' raised nothing, ${way}`);
}

/** The newest request, once the fake has noticed that its client is gone. Nothing else would ever end it. */
async function waitForAbort({ requests }: FakeProvider): Promise<LoggedRequest> {
  for (;;) {
    const last = requests.at(-1);
    if (last?.aborted) return last;
    await sleep(2);
  }
}

async function cancel({ door, model, fake }: Asking): Promise<undefined> {
  for (const way of WAYS) {
    for (const script of ['hang before headers', 'hang mid-stream']) {
      const leave = new AbortController();
      const before = fake.requests.length;
      const asked = door.ask({ model, turns: [say(`${script}\nlong 4`)], signal: leave.signal }, way);
      const raised = assert.rejects(asked);
      while (fake.requests.length === before) await sleep(2);
      // In the middle of a stream, rather than at its beginning.
      if (script === 'hang mid-stream') await sleep(50);
      leave.abort();
      await raised;
      await waitForAbort(fake);
    }
  }
  const leave = new AbortController();
  const before = fake.requests.length;
  const turns = [say('slow 1 ms per chunk\nlong 5000')];
  const reading = (async () => {
    for await (const _ of door.stream({ model, turns, signal: leave.signal })) leave.abort();
  })();
  await Promise.allSettled([reading]);
  assert.equal(fake.requests.length, before + 1);
  await waitForAbort(fake);
}

/** What must be the same at every door and from every kind of provider. */
export const FEATURES = {
  text,
  stream,
  'one tool': oneTool,
  'parallel tools': parallelTools,
  'tool results': toolResults,
  image,
  'structured output': structuredOutput,
  reasoning,
  'stop reason': stopReason,
  usage,
  error,
  cancel,
} satisfies Record<string, FeatureBody>;

export type Feature = keyof typeof FEATURES;
