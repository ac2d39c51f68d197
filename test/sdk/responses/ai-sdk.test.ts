import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { TEST_KEY } from '../../support/gateway.ts';
import { startWorld } from '../support.ts';

/** The AI SDK as it is unless one asks otherwise: by the Responses API, and naming kept items by their ids alone. */
const world = await startWorld();
const openai = createOpenAI({ baseURL: world.baseUrl, apiKey: TEST_KEY });

const clock = tool({ description: 'The time.', inputSchema: z.object({}), execute: () => 'noon' });
const tools = { clock };
const stopWhen = stepCountIs(5);
const prompt = 'call clock\nthen call clock\nthen call clock';

world.each('a tool loop of three rounds', async ({ model }) => {
  const { text, steps } = await generateText({ model: openai(model), tools, stopWhen, prompt });
  assert.equal(steps.length, 4);
  assert.match(text, /^Tool said: .*noon/);
});

world.each('a streamed tool loop of three rounds', async ({ model }) => {
  const result = streamText({ model: openai(model), tools, stopWhen, prompt });
  assert.match(await result.text, /Tool said: .*noon/);
  assert.equal((await result.steps).length, 4);
});

test('references to what is kept nowhere are refused', async () => {
  const input = [{ type: 'item_reference' as const, id: 'msg_resp__fl1__0' }];
  await assert.rejects(
    world.client.responses.create({ model: 'anthropic/claude-sonnet-4-5', input }),
    /item/,
  );
});
