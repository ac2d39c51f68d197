import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startFakeVertexModels } from '../support/fake-vertex-models.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

/* What Claude Code sends that is meant for Anthropic's own API, and where it comes to. */

const fakes = {
  anthropic: await startFakeAnthropic(),
  openai: await startFakeOpenAi(),
  bedrock: await startFakeBedrock(),
  vertex: await startFakeVertexModels({ models: ['claude-opus-4-5-20251101'] }),
};
const account = ({ apiKey }: FakeProvider) => [{ name: 'main', apiKey }];
const gateway = await startGateway({
  providers: {
    anthropic: { baseUrl: fakes.anthropic.url, accounts: account(fakes.anthropic) },
    openai: { baseUrl: fakes.openai.url, accounts: account(fakes.openai) },
    bedrock: { baseUrl: fakes.bedrock.url, region: 'us-east-1', accounts: account(fakes.bedrock) },
    vertex: {
      baseUrl: fakes.vertex.url,
      project: 'my-project',
      location: 'europe-west4',
      accounts: account(fakes.vertex),
    },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all(Object.values(fakes).map((fake) => fake.close()));
});

const CLAUDE = {
  anthropic: 'anthropic/claude-sonnet-4-5',
  bedrock: 'bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0',
  vertex: 'vertex/claude-sonnet-4-5@20250929',
};

interface Asked {
  status: number;
  answer: JsonObject;
  dropped: string | null;
  sent: JsonObject;
  headers: Record<string, string>;
}

async function ask(
  model: string,
  change: JsonObject = {},
  { path = '/v1/messages', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<Asked> {
  const response = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: {
      'x-api-key': TEST_KEY,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({
      model,
      ...(path === '/v1/messages' ? { max_tokens: 100 } : {}),
      messages: [{ role: 'user', content: 'Hi' }],
      ...change,
    }),
  });
  const fake = fakes[model.split('/')[0] as keyof typeof fakes];
  const { body, headers: received } = fake.requests.at(-1) ?? {};
  assert.ok(isObject(body));
  return {
    status: response.status,
    answer: (await response.json()) as JsonObject,
    dropped: response.headers.get('x-fairlead-dropped'),
    sent: body,
    headers: received as Record<string, string>,
  };
}

const LINE = 'x-anthropic-billing-header: cc_version=2.1.332.a3f; cc_entrypoint=cli; cch=9f2c1;';
const AGENT = { type: 'text', text: 'You are Claude Code.', cache_control: { type: 'ephemeral' } };

describe('the line of Claude Code for Anthropic’s billing', () => {
  const system = [{ type: 'text', text: LINE }, AGENT];

  test('reaches Anthropic as it came', async () => {
    const { status, dropped, sent } = await ask(CLAUDE.anthropic, { system });
    assert.deepEqual([status, dropped, sent['system']], [200, null, system]);
  });

  for (const model of [CLAUDE.bedrock, CLAUDE.vertex, 'openai/gpt-4.1']) {
    test(`is left out and named at ${model}, in each of its forms`, async () => {
      const forms: [unknown, string][] = [
        [system, 'system[0]'],
        [[{ ...AGENT, text: `${LINE}\n${AGENT.text}` }], 'system[0]'],
        [`${LINE}\n\n${AGENT.text}`, 'system'],
      ];
      for (const [said, place] of forms) {
        const { status, dropped, sent } = await ask(model, { system: said as JsonObject[] });
        assert.equal(status, 200);
        assert.ok(dropped?.split(', ').includes(place), dropped ?? 'nothing is named');
        const written = JSON.stringify(sent);
        assert.equal(written.includes('billing-header'), false);
        assert.ok(written.includes('You are Claude Code.'));
      }
      const { status, sent } = await ask(model, { system: [{ type: 'text', text: LINE }] });
      assert.deepEqual([status, sent['system']], [200, undefined]);
    });
  }

  test('is not counted where it does not go', async () => {
    const { status, dropped, sent } = await ask(
      CLAUDE.vertex,
      { system },
      { path: '/v1/messages/count_tokens' },
    );
    assert.deepEqual([status, dropped, sent['system']], [200, 'system[0]', [AGENT]]);
  });
});

describe('names of tools that a provider does not take', () => {
  const name = `mcp__${'server'.repeat(11)}__read`;
  const tools = [{ name, input_schema: { type: 'object' } }];
  const forced = { tools, tool_choice: { type: 'tool', name } };

  for (const model of [CLAUDE.bedrock, 'openai/gpt-4.1', 'openai/gpt-5-codex']) {
    test(`are the caller’s own again in what ${model} answers, also streamed`, async () => {
      const { status, answer, sent } = await ask(model, forced);
      assert.equal(status, 200);
      const [call] = answer['content'] as JsonObject[];
      assert.deepEqual([call?.['type'], call?.['name']], ['tool_use', name]);
      assert.equal(JSON.stringify(sent).includes(name), false);

      const result = { type: 'tool_result', tool_use_id: call?.['id'] ?? '', content: 'done' };
      const turns = [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: [call ?? {}] },
        { role: 'user', content: [result] },
      ];
      const second = await ask(model, { tools, messages: turns });
      assert.equal(second.status, 200);
      assert.match(JSON.stringify(second.answer['content']), /Tool said: done/);

      const response = await gateway.post('/v1/messages', {
        model,
        max_tokens: 100,
        messages: [{ role: 'user', content: 'Hi' }],
        stream: true,
        ...forced,
      });
      assert.match(await response.text(), new RegExp(`"type":"tool_use","id":"[^"]+","name":"${name}"`));
    });
  }

  test('that Gemini’s callers may give are no reason to refuse, also of tools that may not be called', async () => {
    const names = ['read_file', 'mcp.tool:x'];
    const body = {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      tools: [{ functionDeclarations: names.map((each) => ({ name: each })) }],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['mcp.tool:x'] } },
    };
    for (const model of ['openai/gpt-4.1', CLAUDE.anthropic, CLAUDE.bedrock]) {
      const response = await gateway.post(`/v1beta/models/${model}:generateContent`, body);
      assert.match(
        await response.text(),
        /"functionCall":\{"name":"mcp\.tool:x"|"name":"mcp\.tool:x"/,
        model,
      );
    }
  });
});

describe('tools of Anthropic’s own that the caller runs', () => {
  const tools = [{ type: 'bash_20250124', name: 'bash' }];

  for (const model of ['openai/gpt-4.1', 'openai/gpt-5-codex', 'bedrock/us.amazon.nova-pro-v1:0']) {
    test(`are called by their names at ${model}`, async () => {
      const messages = [{ role: 'user', content: 'call bash {"command":"ls"}' }];
      const { status, answer, dropped } = await ask(model, { tools, messages });
      assert.deepEqual([status, dropped], [200, null]);
      const [call] = answer['content'] as JsonObject[];
      assert.deepEqual(
        [call?.['type'], call?.['name'], call?.['input']],
        ['tool_use', 'bash', { command: 'ls' }],
      );
    });
  }
});

describe('what Claude Code asks of Anthropic by flags, at Vertex', () => {
  const deferred = { name: 'find', input_schema: { type: 'object' }, defer_loading: true };
  const tools = [{ name: 'look', input_schema: { type: 'object' } }, deferred];

  test('goes with the flag by the name that it has there, and without what a flag that is refused turns on', async () => {
    const flags = ['advanced-tool-use-2025-11-20', 'effort-2025-11-24', 'prompt-caching-scope-2026-01-05'];
    const hint = { type: 'ephemeral', ttl: '1h', scope: 'global' };
    const { status, dropped, sent, headers } = await ask(
      'vertex/claude-opus-4-5@20251101',
      {
        tools,
        speed: 'fast',
        output_config: { effort: 'medium' },
        system: [{ type: 'text', text: 'Say "cache_control": {"scope":"x"}', cache_control: hint }],
      },
      { headers: { 'anthropic-beta': flags.join(',') } },
    );
    assert.equal(status, 200);
    assert.equal(headers['anthropic-beta'], 'tool-search-tool-2025-10-19');
    assert.deepEqual([sent['tools'], sent['output_config'], sent['speed']], [tools, undefined, undefined]);
    assert.deepEqual(sent['system'], [
      {
        type: 'text',
        text: 'Say "cache_control": {"scope":"x"}',
        cache_control: { type: 'ephemeral', ttl: '1h' },
      },
    ]);
    assert.deepEqual(dropped?.split(', ').toSorted(), [
      'anthropic-beta: effort-2025-11-24',
      'anthropic-beta: prompt-caching-scope-2026-01-05',
      'cache_control.scope',
      'output_config.effort',
      'speed',
    ]);
  });

  test('and without the line for Anthropic’s billing, however the two stand together', async () => {
    const hint = { type: 'ephemeral', scope: 'global' };
    const agent = { type: 'text', text: AGENT.text, cache_control: hint };
    for (const system of [
      [{ type: 'text', text: LINE }, agent],
      [{ ...agent, text: `${LINE}\n${AGENT.text}` }],
    ]) {
      const { status, dropped, sent } = await ask(CLAUDE.vertex, { system });
      assert.equal(status, 200);
      assert.deepEqual(sent['system'], [AGENT]);
      assert.deepEqual(dropped?.split(', ').toSorted(), ['cache_control.scope', 'system[0]']);
    }
  });

  test('keeps the effort where the model takes it without a flag, and has the flag that its tools need', async () => {
    const { status, dropped, sent, headers } = await ask('vertex/claude-opus-4-6', {
      tools,
      output_config: { effort: 'medium' },
    });
    assert.deepEqual([status, dropped, sent['output_config']], [200, null, { effort: 'medium' }]);
    assert.equal(headers['anthropic-beta'], 'tool-search-tool-2025-10-19');
  });
});
