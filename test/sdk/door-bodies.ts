import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoggedRequest } from '../support/fake-provider.ts';
import { PIXEL_PNG } from '../support/pixel.ts';
import { type DoorClient, type Question, type Told, type Turn, WAYS } from './door-client.ts';
import type { Upstream, World } from './support.ts';

/*
 * What must be the same at every door and from every kind of provider: one body each, run with the official SDK of a
 * door. (The suites of the `openai` SDK came first, and say more of the same in its own words.)
 */

const say = (user: string): Turn => ({ user });
const plain = { thoughts: '', calls: [], finish: 'stop' };

export function testText({ each }: World, door: DoorClient): void {
  for (const way of WAYS) {
    each(`text, ${way}`, async ({ model }) => {
      const { answer, header } = await door.ask({ model, turns: [say('Grüße, 世界 😀')] }, way);
      const tokens = { input: 3, cached: 0, output: 4, reasoning: 0 };
      assert.deepEqual(answer, { ...plain, text: 'Echo: Grüße, 世界 😀', tokens });
      // Google's SDK shows no headers of a stream that it read.
      if (way === 'whole') assert.equal(header('x-fairlead-target'), model);
    });

    each(`a system prompt, ${way}`, async ({ model }) => {
      const question = { model, system: 'Be brief.', turns: [say('say system')] };
      assert.equal((await door.ask(question, way)).answer.text, 'System: Be brief.');
    });

    each(`a conversation of several turns, ${way}`, async ({ model }) => {
      const first = await door.ask({ model, turns: [say('one')] }, way);
      const turns = [say('one'), { answer: first }, say('two')];
      const { answer } = await door.ask({ model, turns }, way);
      const tokens = { input: 4, cached: 0, output: 2, reasoning: 0 };
      assert.deepEqual(answer, { ...plain, text: 'Echo: two', tokens });
    });

    each(`cached input, ${way}`, async ({ model }) => {
      const { answer } = await door.ask({ model, turns: [say('usage cached 40\nHi')] }, way);
      assert.equal(answer.text, 'Echo: Hi');
      assert.deepEqual(answer.tokens, { input: 44, cached: 40, output: 2, reasoning: 0 });
    });

    each(`an answer that reaches its token limit, ${way}`, async ({ model }) => {
      // OpenAI's Responses API takes no limit below 16.
      const { answer } = await door.ask({ model, turns: [say('long 30')], maxTokens: 16 }, way);
      const words = Array.from({ length: 16 }, (_, index) => `word${index + 1}`);
      assert.deepEqual([answer.text, answer.finish], [words.join(' '), 'length']);
    });

    const eachStop: typeof each = door.lacksStop === true ? () => undefined : each;
    eachStop(`stop sequences, ${way}`, async ({ model }) => {
      const { answer } = await door.ask({ model, turns: [say('stop at HALT')], stop: ['END', 'HALT'] }, way);
      assert.deepEqual([answer.text, answer.finish], ['before ', 'stop']);
    });

    each(`a question that the provider blocks, ${way}`, async ({ model }) => {
      const { answer } = await door.ask({ model, turns: [say('block')] }, way);
      assert.deepEqual([answer.text, answer.finish], ['', 'filter']);
    });
  }

  each('the pieces of a stream come as they are made', async ({ model }) => {
    const pieces: string[] = [];
    for await (const piece of door.stream({ model, turns: [say('Grüße, 世界 😀')] })) pieces.push(piece);
    assert.deepEqual(pieces, ['Echo:', ' Grüße,', ' 世界', ' 😀']);
  });
}

const CITY = { type: 'object', properties: { city: { type: 'string', minLength: 1 } }, required: ['city'] };
const TOOLS = [{ name: 'get_weather', schema: CITY }, { name: 'clock' }];

export function testTools({ each }: World, door: DoorClient): void {
  const results = (of: Told, ...outputs: string[]): Turn[] => [{ answer: of }, { results: outputs, of }];
  for (const way of WAYS) {
    each(`a tool call, its result, and the answer, ${way}`, async ({ model }) => {
      const question = say('call get_weather {"city":"Paris"}');
      const first = await door.ask({ model, turns: [question], tools: TOOLS }, way);
      assert.deepEqual(first.answer.calls, [['get_weather', { city: 'Paris' }]]);
      assert.deepEqual([first.answer.text, first.answer.finish], ['', door.finishOfCalls]);
      const turns = [question, ...results(first, '18 degrees')];
      const { answer } = await door.ask({ model, turns, tools: TOOLS }, way);
      assert.deepEqual([answer.text, answer.finish], ['Tool said: 18 degrees', 'stop']);
    });

    each(`parallel tool calls and their results, ${way}`, async ({ model }) => {
      const question = say(
        'call get_weather {"city":"Rome"}\ncall clock {}\ncall get_weather {"city":"Oslo"}',
      );
      const first = await door.ask({ model, turns: [question], tools: TOOLS }, way);
      assert.deepEqual(first.answer.calls, [
        ['get_weather', { city: 'Rome' }],
        ['clock', {}],
        ['get_weather', { city: 'Oslo' }],
      ]);
      const given = first.ids.filter((id) => id !== undefined);
      assert.equal(new Set(given).size, given.length, 'no two calls have the same id');
      const turns = [question, ...results(first, 'warm', 'noon', 'cold')];
      const { answer } = await door.ask({ model, turns, tools: TOOLS }, way);
      assert.equal(answer.text, 'Tool said: warm, noon, cold');
    });

    each(`two rounds of tools, then another question, ${way}`, async ({ model }) => {
      const turns = [say('call clock\nthen call get_weather {"city":"Rome"}')];
      for (const [calls, result] of [
        [[['clock', {}]], 'noon'],
        [[['get_weather', { city: 'Rome' }]], '{"degrees":30}'],
      ] as const) {
        const told = await door.ask({ model, turns, tools: TOOLS }, way);
        assert.deepEqual(told.answer.calls, calls);
        turns.push(...results(told, result));
      }
      const last = await door.ask({ model, turns, tools: TOOLS }, way);
      assert.match(last.answer.text, /^Tool said: .*30/);
      turns.push({ answer: last }, say('call clock'));
      const again = await door.ask({ model, turns, tools: TOOLS }, way);
      assert.deepEqual(again.answer.calls, [['clock', {}]]);
    });
  }

  const choices: { choice: NonNullable<Question['choice']>; question: string; calls: string[] }[] = [
    { choice: 'auto', question: 'call clock', calls: ['clock'] },
    { choice: 'none', question: 'call clock', calls: [] },
    { choice: 'required', question: 'Hi', calls: ['get_weather'] },
    { choice: { name: 'clock' }, question: 'Hi', calls: ['clock'] },
  ];
  for (const { choice, question, calls } of choices) {
    each(`the choice ${JSON.stringify(choice)} of a tool for '${question}'`, async ({ model }) => {
      for (const way of WAYS) {
        const { answer } = await door.ask({ model, turns: [say(question)], tools: TOOLS, choice }, way);
        const called = answer.calls.map(([name]) => name);
        assert.deepEqual(called, calls);
        // Also where the provider has another word for the end of a call that was forced by name.
        assert.equal(answer.finish, calls.length > 0 ? door.finishOfCalls : 'stop');
      }
    });
  }
}

export function testReasoning({ eachThinker, thinkers }: World, door: DoorClient): void {
  const tools = [{ name: 'clock' }, { name: 'weather', schema: CITY }];
  const results = (of: Told, output: string): Turn[] => [
    { answer: of },
    { results: of.ids.map(() => output), of },
  ];
  for (const way of WAYS) {
    eachThinker(`thoughts are shown, ${way}`, async ({ model }) => {
      const { answer } = await door.ask({ model, turns: [say('think about maths\nHi')], thinks: true }, way);
      assert.deepEqual(answer, {
        text: 'Echo: Hi',
        thoughts: 'thinking about maths',
        calls: [],
        finish: 'stop',
        tokens: { input: 4, cached: 0, output: 5, reasoning: 3 },
      });
    });

    eachThinker(`signed reasoning survives two rounds of tools, ${way}`, async ({ model, fake }) => {
      const turns = [
        say('think about maths\ncall clock\ncall weather {"city":"Rome"}\nthen call weather {"city":"Oslo"}'),
      ];
      const first = await door.ask({ model, turns, tools, thinks: true }, way);
      assert.equal(first.answer.thoughts, 'thinking about maths');
      assert.deepEqual(first.answer.calls, [
        ['clock', {}],
        ['weather', { city: 'Rome' }],
      ]);
      turns.push(...results(first, 'noon'));
      const second = await door.ask({ model, turns, tools, thinks: true }, way);
      assert.deepEqual(second.answer.calls, [['weather', { city: 'Oslo' }]]);
      checkReplay(model, fake);
      turns.push(...results(second, 'cold'));
      const third = await door.ask({ model, turns, tools, thinks: true }, way);
      assert.equal(third.answer.text, 'Tool said: cold');
      checkReplay(model, fake);
      turns.push({ answer: third }, say('think about history\ncall clock'));
      const fourth = await door.ask({ model, turns, tools, thinks: true }, way);
      assert.equal(fourth.answer.thoughts, 'thinking about history');
      assert.deepEqual(fourth.answer.calls, [['clock', {}]]);
    });

    for (const { model: from } of thinkers) {
      eachThinker(`a tool loop that ${from} began goes on, ${way}`, async ({ model: to }) => {
        if (door.cannotShare?.(from, to)) return;
        const turns = [say('think about maths\ncall clock\nthen call weather {"city":"Oslo"}')];
        const first = await door.ask({ model: from, turns, tools, thinks: true }, way);
        turns.push(...results(first, 'noon'));
        const second = await door.ask({ model: to, turns, tools, thinks: true }, way);
        assert.deepEqual(second.answer.calls, [['weather', { city: 'Oslo' }]]);
        turns.push(...results(second, 'cold'));
        const third = await door.ask({ model: from, turns, tools, thinks: true }, way);
        assert.equal(third.answer.text, 'Tool said: cold');
      });
    }
  }
}

/** What the fakes do not refuse, because real providers do not: a stand-in for a lost signature, and none at all. */
function checkReplay(model: string, { requests }: Upstream['fake']): void {
  const body = requests.at(-1)?.rawBody.toString('utf8') ?? '';
  assert.doesNotMatch(body, /__fl1__|X19mbDFfX|skip_thought_signature/);
  if (model.startsWith('anthropic')) {
    assert.match(body, /"thinking":\{"type":"(enabled|adaptive)"/);
    assert.match(body, /"type":"thinking","thinking":"thinking about maths","signature":"[^"]+"/);
  }
  if (model.startsWith('gemini')) assert.match(body, /"thoughtSignature":"[^"]+"/);
}

export function testMedia({ each }: World, door: DoorClient): void {
  const png = { mediaType: 'image/png', base64: PIXEL_PNG };
  const pdfBytes = Buffer.from('%PDF-1.4 é\n');
  const pdf = { mediaType: 'application/pdf', base64: pdfBytes.toString('base64') };
  for (const [what, medium, seen] of [
    ['an image', png, 'image image/png 68 bytes'],
    ['a PDF', pdf, `file application/pdf ${pdfBytes.length} bytes`],
  ] as const) {
    each(`${what} reaches the model`, async ({ model }) => {
      for (const way of WAYS) {
        const turns = [{ user: 'What is this?', media: [medium] }];
        assert.equal((await door.ask({ model, turns }, way)).answer.text, `Saw ${seen}`);
      }
    });
  }
}

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

export function testStructuredOutput({ each }: World, door: DoorClient): void {
  each('an answer of a schema', async ({ model }) => {
    for (const way of WAYS) {
      const { answer } = await door.ask({ model, turns: [say('A recipe, please.')], schema: RECIPE }, way);
      assert.deepEqual(JSON.parse(answer.text), { title: 'text', minutes: 1, kind: 'soup', steps: ['text'] });
      assert.equal(answer.finish, 'stop');
    }
  });
}

/** The newest request, once the fake has noticed that its client is gone. Nothing else would ever end it. */
async function waitForAbort({ fake }: Upstream): Promise<LoggedRequest> {
  for (;;) {
    const last = fake.requests.at(-1);
    if (last?.aborted) return last;
    await sleep(2);
  }
}

export function testCancel({ each }: World, door: DoorClient): void {
  for (const way of WAYS) {
    for (const script of ['hang before headers', 'hang mid-stream']) {
      each(`a client that aborts stops the provider: '${script}', ${way}`, async (upstream) => {
        const { fake, model } = upstream;
        const leave = new AbortController();
        const before = fake.requests.length;
        const asked = door.ask({ model, turns: [say(`${script}\nlong 4`)], signal: leave.signal }, way);
        const raised = assert.rejects(asked);
        while (fake.requests.length === before) await sleep(2);
        // In the middle of a stream, rather than at its beginning.
        if (script === 'hang mid-stream') await sleep(50);
        leave.abort();
        await raised;
        await waitForAbort(upstream);
      });
    }
  }

  each('a client that stops reading a stream stops the provider', async (upstream) => {
    const { model } = upstream;
    const leave = new AbortController();
    const turns = [say('slow 1 ms per chunk\nlong 5000')];
    const reading = (async () => {
      for await (const _ of door.stream({ model, turns, signal: leave.signal })) leave.abort();
    })();
    await Promise.allSettled([reading]);
    await waitForAbort(upstream);
  });
}

export function testFailover({ each }: World, door: DoorClient): void {
  each('what fails before any output fails over, and nobody sees it', async ({ name, fake }) => {
    for (const way of WAYS) {
      const scripts = ['fail 529', 'fail 429', 'html 200', ...(way === 'streamed' ? ['error at start'] : [])];
      for (const script of scripts) {
        fake.setBehaviour(script, 1);
        const { answer } = await door.ask({ model: name, turns: [say('Hi')] }, way);
        assert.equal(answer.text, 'Echo: Hi');
      }
    }
  });
}

/** For each kind of provider a model that has another one behind it (`testFailover`). */
export const BACKED = {
  openai: { targets: ['openai/gpt-4.1', 'compatible/gpt-4.1'] },
  anthropic: { targets: ['anthropic/claude-sonnet-4-5', 'compatible/gpt-4.1'] },
  gemini: { targets: ['gemini/gemini-2.5-flash', 'compatible/gpt-4.1'] },
};
