import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { readEvents, startPrompts } from '../support/prompt-gateway.ts';

test('a prompt stops at its sequences, also where its model takes none', async (context) => {
  const openai = await startFakeOpenAi();
  context.after(() => openai.close());
  const source = (model: string) =>
    `---\nmodel: openai/${model}\nconfig: { stopSequences: [END] }\n---\none END two\n`;
  const gateway = await startPrompts(
    {
      'old.prompt': source('gpt-4.1'),
      'new.prompt': source('gpt-5-mini'),
      'alone.prompt': source('gpt-5-codex'),
    },
    { providers: { openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] } } },
  );
  context.after(() => gateway.stop());
  for (const name of ['old', 'new', 'alone']) {
    const whole = await gateway.post(`/v1/prompts/${name}`, {});
    assert.deepEqual([whole.status, await whole.text()], [200, 'Echo: one '], name);
    const streamed = await gateway.post(`/v1/prompts/${name}?stream=true`, {});
    const last = readEvents(await streamed.text()).findLast(({ event }) => event === 'output');
    const said = JSON.parse(last?.data ?? '{}') as Record<string, unknown>;
    assert.deepEqual(
      [said['output'], said['finish']],
      ['Echo: one ', name === 'old' ? 'stop' : 'stop_sequence'],
      name,
    );
  }
});
