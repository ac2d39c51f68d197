import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anthropicClient } from './anthropic/client.ts';
import type { DoorClient, Told, Way } from './door-client.ts';
import { WAYS } from './door-client.ts';
import { openDoors } from './doors.ts';
import { startWorld } from './support.ts';

/*
 * Clients that name stop sequences, at models that take none or fewer: the fakes refuse them as the real APIs do, and clients notice nothing.
 */

const world = await startWorld();
/** The Responses API has none. */
const doors = openDoors(world.url).filter(({ dialect }) => dialect !== 'responses');

interface Case {
  name: string;
  model: string;
  stop: readonly string[];
  /** What the answer stops at, in words that all of the fakes echo. */
  said: string;
  text: string;
}

const CASES: readonly Case[] = [
  { name: 'takes none', model: 'openai/gpt-5-mini', stop: ['END'], said: 'one END two', text: 'Echo: one ' },
  {
    ...{ name: 'takes none', model: 'openai/gpt-5-mini', stop: ['ne EN', 'wo'] },
    ...{ said: 'one END two', text: 'Echo: o' },
  },
  {
    ...{ name: 'is of an API that has none', model: 'openai/gpt-5-codex', stop: ['END'] },
    ...{ said: 'one END two', text: 'Echo: one ' },
  },
  {
    ...{ name: 'takes four', model: 'openai/gpt-4.1', stop: ['a!', 'b!', 'c!', 'd!', 'END'] },
    ...{ said: 'one END two', text: 'Echo: one ' },
  },
];

/** The last record, by what the attempt was adapted to. */
async function adaptedOf(): Promise<Record<string, string | null> | undefined> {
  const [record] = await world.records();
  return record?.attempts.at(-1)?.adapted;
}

function ask(door: DoorClient, { model, stop, said }: Case, way: Way): Promise<Told> {
  return door.ask({ model, stop, turns: [{ user: said }] }, way);
}

const WORDS = { chat: 'stop', messages: 'stop_sequences', gemini: 'generationConfig.stopSequences' };

for (const door of doors) {
  for (const way of WAYS) {
    for (const told of CASES) {
      test(`${door.sdk}, ${way}: an answer stops at a sequence that the model was not told, as it ${told.name} (${told.model})`, async () => {
        const { answer, header } = await ask(door, told, way);
        assert.equal(answer.text, told.text);
        assert.equal(answer.finish, 'stop');
        const word = WORDS[door.dialect as keyof typeof WORDS];
        assert.doesNotMatch(header('x-fairlead-dropped') ?? '', /stop/i);
        assert.equal((await adaptedOf())?.[word], 'cut');
        await world.checkBooks();
      });
    }
  }
}

for (const way of WAYS) {
  test(`a caller of Anthropic’s is told which sequence was met (${way})`, async () => {
    const client = anthropicClient(world.url);
    const asked = {
      ...{ model: 'openai/gpt-5-mini', max_tokens: 4096, stop_sequences: ['two', 'END'] },
      messages: [{ role: 'user' as const, content: 'one END two' }],
    };
    const message =
      way === 'whole'
        ? await client.messages.create(asked)
        : await client.messages.stream(asked).finalMessage();
    assert.deepEqual([message.stop_reason, message.stop_sequence], ['stop_sequence', 'END']);
    assert.deepEqual(
      message.content.map((block) => block.type === 'text' && block.text),
      ['Echo: one '],
    );
    await world.checkBooks();
  });
}
