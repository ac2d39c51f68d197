import assert from 'node:assert/strict';
import { readmitCredentials } from '../support/admin.ts';
import { type DoorClient, type Question, type Told, type Turn, WAYS } from './door-client.ts';
import { FEATURES, type Feature, TOOLS } from './features.ts';
import type { World } from './support.ts';

/*
 * What must be the same at every door and from every kind of provider, in more depth than the features of the matrix
 * (`features.ts`): one body each, run with the official SDK of a door. (The suites of the `openai` SDK came first, and say more of the
 * same in its own words.)
 */

const say = (user: string): Turn => ({ user });
const plain = { thoughts: '', calls: [], finish: 'stop' };

/** Features of the matrix where it does not go: packets that end anywhere, models that sign or think in another way. */
export function testFeatures(
  { each, eachThinker, url }: World,
  door: DoorClient,
  features: readonly Feature[],
): void {
  const readmit = () => readmitCredentials(url);
  for (const feature of features) {
    const eachModel = feature === 'reasoning' ? eachThinker : each;
    eachModel(feature, async ({ model, fake }) => {
      // None of these features fails on purpose.
      const asking = { door, model, once: model, thinker: model, fake, readmit };
      assert.equal(await FEATURES[feature](asking), undefined);
    });
  }
}

export function testText({ each }: World, door: DoorClient): void {
  for (const way of WAYS) {
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
  }
}

export function testTools({ each }: World, door: DoorClient): void {
  const results = (of: Told, ...outputs: string[]): Turn[] => [{ answer: of }, { results: outputs, of }];
  for (const way of WAYS) {
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
  const tools = TOOLS.toReversed();
  const results = (of: Told, output: string): Turn[] => [
    { answer: of },
    { results: of.ids.map(() => output), of },
  ];
  for (const way of WAYS) {
    for (const { model: from } of thinkers) {
      eachThinker(`a tool loop that ${from} began goes on, ${way}`, async ({ model: to }) => {
        if (door.cannotShare?.(from, to)) return;
        const turns = [say('think about maths\ncall clock\nthen call get_weather {"city":"Oslo"}')];
        const first = await door.ask({ model: from, turns, tools, thinks: true }, way);
        turns.push(...results(first, 'noon'));
        const second = await door.ask({ model: to, turns, tools, thinks: true }, way);
        assert.deepEqual(second.answer.calls, [['get_weather', { city: 'Oslo' }]]);
        turns.push(...results(second, 'cold'));
        const third = await door.ask({ model: from, turns, tools, thinks: true }, way);
        assert.equal(third.answer.text, 'Tool said: cold');
      });
    }
  }
}

export function testMedia({ each }: World, door: DoorClient): void {
  const bytes = Buffer.from('%PDF-1.4 é\n');
  const pdf = { mediaType: 'application/pdf', base64: bytes.toString('base64') };
  each('a PDF reaches the model', async ({ model }) => {
    for (const way of WAYS) {
      const turns = [{ user: 'What is this?', media: [pdf] }];
      assert.equal(
        (await door.ask({ model, turns }, way)).answer.text,
        `Saw file application/pdf ${bytes.length} bytes`,
      );
    }
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
