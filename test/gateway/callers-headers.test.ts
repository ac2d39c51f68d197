import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const [openai, kin, anthropic] = await Promise.all([
  startFakeOpenAi(),
  startFakeOpenAi({ compatible: true }),
  startFakeAnthropic(),
]);
const LIMITED = 'sk-fl-limited-key-00000000000000000';
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] },
    team: {
      adapter: 'openai',
      baseUrl: openai.url,
      accounts: [{ name: 'main', apiKey: openai.apiKey, organization: 'org-own', project: 'proj_own' }],
    },
    kin: {
      adapter: 'openai-compatible',
      baseUrl: kin.url,
      accounts: [{ name: 'main', apiKey: kin.apiKey }],
    },
    anthropic: { baseUrl: anthropic.url, accounts: [{ name: 'main', apiKey: anthropic.apiKey }] },
  },
  models: { smart: { targets: ['anthropic/claude-haiku-4-5'] } },
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    limited: { models: ['smart', 'openai/gpt-4.1'], keys: [{ name: 'app', secret: LIMITED }] },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([openai, kin, anthropic].map((fake) => fake.close()));
});

const openaiClient = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const BETAS = ['responses_multi_agent=v1' as const];

describe('OpenAI’s betas', () => {
  for (const stream of [false, true]) {
    test(`reach OpenAI beside the bytes that they are about, ${stream ? 'streamed' : 'whole'}`, async () => {
      const { response } = await openaiClient.beta.responses
        .create({ model: 'openai/gpt-4.1', input: 'say ok', betas: BETAS, stream })
        .withResponse();
      assert.equal(openai.requests.at(-1)?.headers['openai-beta'], 'responses_multi_agent=v1');
      assert.equal(response.headers.get('x-fairlead-dropped'), null);
      if (stream) await response.text();
    });
  }

  test('go on with what is asked about an answer that OpenAI keeps', async () => {
    const { id } = await openaiClient.responses.create({ model: 'openai/gpt-4.1', input: 'say ok' });
    await openaiClient.beta.responses.retrieve(id, { betas: BETAS });
    assert.equal(openai.requests.at(-1)?.headers['openai-beta'], 'responses_multi_agent=v1');
    await openaiClient.responses.retrieve(id);
    assert.equal(openai.requests.at(-1)?.headers['openai-beta'], undefined);
  });

  test('reach its Chat Completions, too', async () => {
    const messages = [{ role: 'user' as const, content: 'say ok' }];
    const headers = { 'OpenAI-Beta': 'x=v1' };
    await openaiClient.chat.completions.create({ model: 'openai/gpt-4.1', messages }, { headers });
    assert.equal(openai.requests.at(-1)?.headers['openai-beta'], 'x=v1');
    const { response } = await openaiClient.chat.completions
      .create({ model: 'kin/gpt-4.1', messages }, { headers })
      .withResponse();
    assert.equal(kin.requests.at(-1)?.headers['openai-beta'], undefined);
    assert.equal(response.headers.get('x-fairlead-dropped'), 'openai-beta');
  });

  const options = { headers: { 'OpenAI-Beta': 'x=v1' } };
  const image = () => new File(['x'], 'a.png', { type: 'image/png' });
  const RELAYED: [
    what: string,
    ask: (provider: string) => { withResponse(): Promise<{ response: Response }> },
  ][] = [
    [
      'embeddings',
      (name) =>
        openaiClient.embeddings.create({ model: `${name}/text-embedding-3-small`, input: 'x' }, options),
    ],
    [
      'moderations',
      (name) =>
        openaiClient.moderations.create({ model: `${name}/omni-moderation-latest`, input: 'x' }, options),
    ],
    [
      'images',
      (name) => openaiClient.images.generate({ model: `${name}/gpt-image-1`, prompt: 'x' }, options),
    ],
    [
      'forms',
      (name) =>
        openaiClient.images.edit({ model: `${name}/gpt-image-1`, prompt: 'x', image: image() }, options),
    ],
  ];
  for (const [what, ask] of RELAYED) {
    test(`reach what else OpenAI has, and are named at its kin: ${what}`, async () => {
      const own = await ask('openai').withResponse();
      assert.equal(openai.requests.at(-1)?.headers['openai-beta'], 'x=v1');
      assert.equal(own.response.headers.get('x-fairlead-dropped'), null);
      const kins = await ask('kin').withResponse();
      assert.equal(kin.requests.at(-1)?.headers['openai-beta'], undefined);
      assert.equal(kins.response.headers.get('x-fairlead-dropped'), 'openai-beta');
    });
  }

  test('are about files and batches, too', async () => {
    const file = new File(['{}'], 'a.jsonl');
    const form = { file, purpose: 'user_data' as const };
    const { id } = await openaiClient.files.create(form, {
      headers: { ...options.headers, 'x-fairlead-provider': 'openai' },
    });
    assert.equal(openai.requests.at(-1)?.headers['openai-beta'], 'x=v1');
    await openaiClient.files.retrieve(id, options);
    assert.equal(openai.requests.at(-1)?.headers['openai-beta'], 'x=v1');
    const { response } = await openaiClient.files
      .create(form, { headers: { ...options.headers, 'x-fairlead-provider': 'kin' } })
      .withResponse();
    assert.equal(kin.requests.at(-1)?.headers['openai-beta'], undefined);
    assert.equal(response.headers.get('x-fairlead-dropped'), 'openai-beta');
  });

  test('are named at the door of completions, whose body never goes on as it is', async () => {
    for (const model of ['openai/gpt-4.1', 'kin/gpt-4.1']) {
      const { response } = await openaiClient.completions
        .create({ model, prompt: 'say ok' }, options)
        .withResponse();
      assert.equal(response.headers.get('x-fairlead-dropped'), 'openai-beta');
    }
    assert.equal(openai.requests.at(-1)?.headers['openai-beta'], undefined);
  });

  for (const model of ['anthropic/claude-haiku-4-5', 'kin/gpt-4.1']) {
    test(`mean nothing to ${model}, and are named`, async () => {
      const { response } = await openaiClient.beta.responses
        .create({ model, input: 'say ok', betas: BETAS })
        .withResponse();
      assert.equal(response.headers.get('x-fairlead-dropped'), 'openai-beta');
    });
  }
});

describe('the organisation and the project that a client of OpenAI’s names, as its environment may have it', () => {
  const client = new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey: TEST_KEY,
    maxRetries: 0,
    organization: 'org-callers',
    project: 'proj_callers',
  });
  const messages = [{ role: 'user' as const, content: 'say ok' }];
  const named = 'openai-organization, openai-project';

  for (const model of ['openai/gpt-4.1', 'team/gpt-4.1', 'kin/gpt-4.1', 'smart']) {
    test(`are the account’s, and those of the caller named as dropped: ${model}`, async () => {
      const [chat, responses] = await Promise.all([
        client.chat.completions.create({ model, messages }).withResponse(),
        client.responses.create({ model, input: 'say ok' }).withResponse(),
      ]);
      for (const { response } of [chat, responses]) {
        assert.equal(response.headers.get('x-fairlead-dropped'), named);
      }
      const isOfTeam = model.startsWith('team/');
      for (const fake of [openai, kin, anthropic]) {
        const sent = fake.requests.slice(-2);
        if (!isOfTeam || fake !== openai) {
          assert.ok(sent.every(({ headers }) => headers['openai-project'] !== 'proj_callers'));
          continue;
        }
        for (const { headers } of sent) {
          assert.equal(headers['openai-organization'], 'org-own');
          assert.equal(headers['openai-project'], 'proj_own');
        }
      }
    });
  }

  test('are named at the other doors, too', async () => {
    const answers = [
      client.completions.create({ model: 'openai/gpt-4.1', prompt: 'say ok' }),
      client.embeddings.create({ model: 'openai/text-embedding-3-small', input: 'ok' }),
    ];
    for (const answer of answers) {
      const { response } = await answer.withResponse();
      assert.equal(response.headers.get('x-fairlead-dropped'), named);
    }
  });

  test('are not named where the account has the same', async () => {
    const same = client.withOptions({ organization: 'org-own', project: 'proj_own' });
    const { response } = await same.chat.completions
      .create({ model: 'team/gpt-4.1', messages })
      .withResponse();
    assert.equal(response.headers.get('x-fairlead-dropped'), null);
  });
});

describe('whom Anthropic is to take a call for', () => {
  const ask = (apiKey: string, model: string, named: object) =>
    new Anthropic({ baseURL: gateway.url, apiKey, maxRetries: 0 }).messages
      .create({
        model,
        max_tokens: 50,
        messages: [{ role: 'user', content: 'say ok' }],
        ...named,
      })
      .withResponse();

  for (const [named, header] of [
    [{ user_profile_id: 'up_1' }, 'anthropic-user-profile-id'],
    [{ workspace_id: 'ws_1' }, 'anthropic-workspace-id'],
  ] as const) {
    const [value] = Object.values(named);

    test(`is for those to say who may call all of the provider: ${header}`, async () => {
      const { response } = await ask(TEST_KEY, 'smart', named);
      assert.equal(anthropic.requests.at(-1)?.headers[header], value);
      assert.equal(response.headers.get('x-fairlead-dropped'), null);
    });

    test(`is not for others to say: ${header}`, async () => {
      const before = anthropic.requests.length;
      await assert.rejects(ask(LIMITED, 'smart', named), (error) => {
        assert.ok(error instanceof Anthropic.NotFoundError, `${error}`);
        assert.match(error.message, new RegExp(`${header}.*${value}|${value}.*${header}`));
        return true;
      });
      assert.equal(anthropic.requests.length, before);
    });

    test(`is named where another provider is called: ${header}`, async () => {
      for (const key of [TEST_KEY, LIMITED]) {
        const { response } = await ask(key, 'openai/gpt-4.1', named);
        assert.equal(response.headers.get('x-fairlead-dropped'), header);
        assert.equal(openai.requests.at(-1)?.headers[header], undefined);
      }
    });
  }
});
