import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import OpenAI, { BadRequestError, NotFoundError, toFile } from 'openai';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import type { KinName } from '../support/openai/kin.ts';

/** Files and batches of OpenAI's kin, and the ways in which their models read a file by its id. */
const KEEPING = ['alibaba', 'cerebras', 'moonshot', 'perplexity', 'xai'] as const satisfies KinName[];
const BATCHING: readonly string[] = KEEPING.filter((name) => name !== 'xai');

const fakes = new Map(
  await Promise.all(
    KEEPING.map(
      async (kin) => [kin, await startFakeOpenAi({ kin, models: ['qwen-long', 'kimi-k2'] })] as const,
    ),
  ),
);
const OTHER = 'sk-fl-key-of-another-tenant-0000000';
const gateway = await startGateway({
  providers: Object.fromEntries(
    [...fakes].map(([name, { url, apiKey }]) => {
      // Perplexity's own paths have no version.
      const baseUrl = name === 'perplexity' ? new URL(url).origin : url;
      return [name, { baseUrl, accounts: [{ name: 'main', apiKey }] }];
    }),
  ),
  prices: Object.fromEntries(
    KEEPING.map((name) => [`${name}/*`, { input: 1, output: 1, tiers: { batch: 0.5 } }]),
  ),
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    other: { models: ['*'], keys: [{ name: 'app', secret: OTHER }] },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([...fakes.values()].map((fake) => fake.close()));
});

const clientOf = (apiKey: string, provider: string) =>
  new OpenAI({
    baseURL: `${gateway.url}/v1`,
    apiKey,
    maxRetries: 0,
    defaultHeaders: { 'x-fairlead-provider': provider },
  });
const lineOf = (body: object) =>
  `${JSON.stringify({ custom_id: '1', method: 'POST', url: '/v1/chat/completions', body })}\n`;
const USER = { role: 'user', content: 'Hi' } as const;
const BATCH = { endpoint: '/v1/chat/completions', completion_window: '24h' } as const;

let bills = 0;

for (const name of KEEPING) {
  test(`${name} keeps files, each for the tenant that made it`, async () => {
    const [acme, other] = [clientOf(TEST_KEY, name), clientOf(OTHER, name)];
    const file = await acme.files.create({
      file: await toFile(Buffer.from('text'), 'a.txt'),
      purpose: 'user_data',
    });
    assert.equal((await acme.files.retrieve(file.id)).id, file.id);
    assert.equal(await (await acme.files.content(file.id)).text(), 'text');
    for (const look of [
      () => other.files.retrieve(file.id),
      () => other.files.content(file.id),
      () => other.files.delete(file.id),
    ]) {
      await assert.rejects(look, NotFoundError);
    }
    assert.equal((await acme.files.delete(file.id)).deleted, true);
  });

  test(`${name} ${BATCHING.includes(name) ? 'makes batches, which are billed' : 'has no batches of OpenAI’s form'}`, async () => {
    const [acme, other] = [clientOf(TEST_KEY, name), clientOf(OTHER, name)];
    const line = lineOf({ model: 'qwen-long', messages: [USER] });
    const input = await acme.files.create({
      file: await toFile(Buffer.from(line), 'a.jsonl'),
      purpose: 'batch',
    });
    const making = acme.batches.create({ input_file_id: input.id, ...BATCH });
    if (!BATCHING.includes(name)) {
      await assert.rejects(making, (error) => {
        assert.ok(error instanceof BadRequestError);
        assert.equal(error.code, 'unsupported_operation');
        return true;
      });
      return;
    }
    const { id } = await making;
    const done = await acme.batches.retrieve(id);
    assert.equal(done.status, 'completed');
    await assert.rejects(other.batches.retrieve(id), NotFoundError);
    await assert.rejects(other.files.content(done.output_file_id ?? ''), NotFoundError);
    assert.match(await (await acme.files.content(done.output_file_id ?? '')).text(), /"custom_id":"1"/);
    bills += 1;
    const records = await gateway.calls(bills);
    const bill = records.find(
      ({ target, usage }) => target === `${name}/qwen-long` && usage?.tier === 'batch',
    );
    assert.deepEqual(
      [bill?.tenant, bill?.usage?.input, bill?.usage?.cacheRead, bill?.costMicroUsd],
      ['acme', 80, 20, 65],
    );
  });
}

/** Each way in which a model of theirs is told to read a file, at each door that has it. */
const READERS: readonly [what: string, provider: KinName, path: string, body: (id: string) => object][] = [
  [
    'Qwen, by a system message',
    'alibaba',
    '/v1/chat/completions',
    (id) => ({ model: 'alibaba/qwen-long', messages: [{ role: 'system', content: `fileid://${id}` }, USER] }),
  ],
  [
    'Qwen, by one of several ids',
    'alibaba',
    '/v1/chat/completions',
    (id) => ({
      model: 'alibaba/qwen-long',
      messages: [{ role: 'system', content: `FileId://file-fe-unseen,fileid:// ${id}` }, USER],
    }),
  ],
  [
    'Qwen, by a caller of Messages',
    'alibaba',
    '/v1/messages',
    (id) => ({ model: 'alibaba/qwen-long', max_tokens: 9, system: `fileid://${id}`, messages: [USER] }),
  ],
  [
    'Kimi, by an address',
    'moonshot',
    '/v1/chat/completions',
    (id) => ({
      model: 'moonshot/kimi-k2',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `ms://${id}` } }] }],
    }),
  ],
];

describe('a file that a model reads by its id', () => {
  for (const [what, provider, path, bodyOf] of READERS) {
    test(`is its tenant's: ${what}`, async () => {
      const fake = fakes.get(provider as (typeof KEEPING)[number]);
      const kept = await clientOf(TEST_KEY, provider).files.create({
        file: await toFile(Buffer.from('text'), 'a.txt'),
        purpose: 'file-extract' as OpenAI.FilePurpose,
      });
      const ask = async (key: string, id: string) => {
        const before = fake?.requests.length ?? 0;
        const answer = await gateway.post(path, bodyOf(id), { headers: { authorization: `Bearer ${key}` } });
        const text = await answer.text();
        return { status: answer.status, text, asked: (fake?.requests.length ?? 0) - before };
      };
      const own = await ask(TEST_KEY, kept.id);
      // Whether the fake reads it is its own matter: it was asked.
      assert.equal(own.asked, 1, own.text);
      const others = await ask(OTHER, kept.id);
      assert.equal(others.status, 404, others.text);
      assert.equal(others.asked, 0);
      const nobodys = await ask(OTHER, 'file-fe-never-seen');
      assert.equal(nobodys.asked, 1, nobodys.text);
      const written = JSON.stringify(bodyOf(kept.id));
      for (const hidden of [written.replaceAll('/', '\\/'), written.replace('ileid:', '\\u0069leid:')]) {
        const answer = await fetch(`${gateway.url}${path}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${OTHER}`, 'content-type': 'application/json' },
          body: hidden,
        });
        assert.ok(answer.status === 404 || answer.status === 400, await answer.text());
      }
    });
  }

  test('is its tenant’s in the lines of a batch, too', async () => {
    for (const [name, line] of [
      ['alibaba', (id: string) => ({ messages: [{ role: 'system', content: `fileid://${id}` }, USER] })],
      [
        'moonshot',
        (id: string) => ({
          messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `ms://${id}` } }] }],
        }),
      ],
    ] as const) {
      const [acme, other] = [clientOf(TEST_KEY, name), clientOf(OTHER, name)];
      const kept = await acme.files.create({
        file: await toFile(Buffer.from('text'), 'a.txt'),
        purpose: 'user_data',
      });
      const upload = async (client: OpenAI) =>
        client.files.create({
          file: await toFile(Buffer.from(lineOf({ model: 'qwen-long', ...line(kept.id) })), 'a.jsonl'),
          purpose: 'batch',
        });
      await upload(acme);
      await assert.rejects(upload(other), NotFoundError);
    }
  });

  const post = (body: object, key = OTHER) =>
    gateway.post('/v1/chat/completions', body, { headers: { authorization: `Bearer ${key}` } });
  const system = (...texts: string[]) => ({
    role: 'system',
    content: texts.map((text) => ({ type: 'text', text })),
  });
  const toQwen = (...messages: object[]) => ({ model: 'alibaba/qwen-long', messages: [...messages, USER] });

  test('cannot be named in pieces, without an id, or behind another', async () => {
    const fake = fakes.get('alibaba');
    const { id } = await clientOf(TEST_KEY, 'alibaba').files.create({
      file: await toFile(Buffer.from('text'), 'a.txt'),
      purpose: 'file-extract' as OpenAI.FilePurpose,
    });
    const before = fake?.requests.length;
    const named: [status: number, path: string, body: object][] = [
      [404, '/v1/chat/completions', toQwen(system('fileid://', id))],
      [404, '/v1/chat/completions', toQwen(system('file', `id://${id}`))],
      [404, '/v1/chat/completions', toQwen(system('f', 'ileid:', '/', `/${id}`))],
      [400, '/v1/chat/completions', toQwen(system(`fileid://\u200b${id}`))],
      [404, '/v1/chat/completions', toQwen(system(`fileid://file-zz,${id}`))],
      [
        404,
        '/v1/messages',
        {
          ...{ model: 'alibaba/qwen-long', max_tokens: 9, messages: [USER] },
          system: [
            { type: 'text', text: 'file' },
            { type: 'text', text: `id://${id}` },
          ],
        },
      ],
      [
        403,
        '/v1beta/models/alibaba%2Fqwen-long:generateContent',
        {
          contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
          systemInstruction: { parts: [{ text: 'file' }, { text: `id://${id}` }] },
        },
      ],
    ];
    for (const [status, path, body] of named) {
      const answer = await gateway.post(path, body, {
        headers: { authorization: `Bearer ${OTHER}`, 'x-goog-api-key': OTHER },
      });
      assert.equal(answer.status, status, `${JSON.stringify(body)}: ${await answer.text()}`);
    }
    assert.equal(fake?.requests.length, before);
    for (const pieces of [
      ['file', `id://${id}`],
      ['fileid://', id],
    ]) {
      const line = lineOf({ model: 'qwen-long', messages: [system(...pieces)] });
      const file = await toFile(Buffer.from(line), 'a.jsonl');
      await assert.rejects(
        clientOf(OTHER, 'alibaba').files.create({ file, purpose: 'batch' }),
        OpenAI.APIError,
      );
    }
  });

  test('is one of so many at most', async () => {
    const textOf = (count: number) =>
      Array.from({ length: count }, (_, at) => `fileid://file-${at}`).join(',');
    for (const count of [501, 40_000, 300_000]) {
      const answer = await post(toQwen(system(textOf(count))));
      assert.equal(answer.status, 400, await answer.text());
    }
    assert.equal((await post(toQwen(system(textOf(500))))).status, 200);
    // However often one is named, it is one.
    assert.equal((await post(toQwen(system('fileid://file-1 '.repeat(2_000))))).status, 200);
  });

  test('is told by an address as Kimi has it, or not at all', async () => {
    for (const url of [
      'ms://file%2d1',
      ' ms://file-1',
      '\u00a0ms://file-1',
      'm\ts://file-1',
      '\u200bms://file-1',
    ]) {
      const image = { type: 'image_url', image_url: { url } };
      const messages = [{ role: 'user', content: [image] }];
      const answer = await gateway.post('/v1/chat/completions', { model: 'moonshot/kimi-k2', messages });
      assert.equal(answer.status, 400, `${JSON.stringify(url)}: ${await answer.text()}`);
      const line = await toFile(Buffer.from(lineOf({ model: 'kimi-k2', messages })), 'a.jsonl');
      await assert.rejects(
        clientOf(OTHER, 'moonshot').files.create({ file: line, purpose: 'batch' }),
        BadRequestError,
      );
    }
  });
});
