import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

const anthropic = await startFakeAnthropic();
const openai = await startFakeOpenAi();
after(() => Promise.all([anthropic.close(), openai.close()]));

const PART = '--XX\r\ncontent-disposition: form-data; name=';
const LINE = JSON.stringify({
  ...{ custom_id: 'a', method: 'POST', url: '/v1/chat/completions' },
  body: { model: 'gpt-4.1', messages: [{ role: 'user', content: 'x' }] },
});

const authorized = (secret: string) => ({ authorization: `Bearer ${secret}` });

async function makeTenant(admin: AdminClient): Promise<string> {
  await admin.must('POST', '/tenants', { name: 'reuse', models: ['*'] });
  return String((await admin.must('POST', '/tenants/reuse/keys', { name: 'app' })).body['secret']);
}

/** Goes on with its last bytes when `last` is called. */
function beginUpload(gateway: TestGateway, secret: string) {
  const pass = new TransformStream<Uint8Array, Uint8Array>();
  const writer = pass.writable.getWriter();
  const send = (text: string) => writer.write(new TextEncoder().encode(text));
  const answer = fetch(`${gateway.url}/v1/files`, {
    method: 'POST',
    duplex: 'half',
    headers: {
      ...authorized(secret),
      'x-fairlead-provider': 'openai',
      'content-type': 'multipart/form-data; boundary=XX',
    },
    body: pass.readable,
  } as RequestInit);
  const file = `${PART}"file"; filename="plan.jsonl"\r\ncontent-type: application/jsonl\r\n\r\n${LINE}\n`;
  void send(`${PART}"purpose"\r\n\r\nbatch\r\n${file}`);
  return {
    last: async () => {
      await send('\r\n--XX--\r\n');
      await writer.close();
      const { status, ...rest } = await answer;
      assert.equal(status, 200, JSON.stringify(rest));
    },
  };
}

async function listFiles(gateway: TestGateway, secret: string): Promise<string[]> {
  const { data } = (await (await gateway.get('/v1/files', secret)).json()) as {
    data: { filename: string }[];
  };
  return data.map(({ filename }) => filename);
}

onEachDatabase((database) => {
  async function start(context: TestContext) {
    const gateway = await startGateway({
      store: await database.makeUrl(context),
      providers: {
        anthropic: { baseUrl: anthropic.url, accounts: [{ name: 'main', apiKey: anthropic.apiKey }] },
        openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] },
      },
    });
    context.after(() => gateway.stop());
    return { gateway, admin: adminClient(gateway.url) };
  }

  test('an upload that ends when its tenant is gone is not that of the next of the name', async (context) => {
    const { gateway, admin } = await start(context);
    const first = await makeTenant(admin);
    await beginUpload(gateway, first).last();
    assert.deepEqual(await listFiles(gateway, first), ['plan.jsonl']);
    const upload = beginUpload(gateway, first);
    // Let in by the configuration that has the tenant.
    await sleep(100);
    await admin.must('DELETE', '/tenants/reuse');
    const second = await makeTenant(admin);
    await upload.last();
    assert.deepEqual(await listFiles(gateway, second), []);
    await beginUpload(gateway, second).last();
    assert.deepEqual(await listFiles(gateway, second), ['plan.jsonl']);
  });

  test('what an upload leaves whose tenant was taken away by a slip is there when that is restored', async (context) => {
    const { gateway, admin } = await start(context);
    const secret = await makeTenant(admin);
    const upload = beginUpload(gateway, secret);
    await sleep(100);
    const { body } = await admin.must('GET', '/revisions?limit=1');
    const before = (body['data'] as { number: number }[])[0]?.number;
    await admin.must('DELETE', '/tenants/reuse');
    await upload.last();
    await admin.must('POST', `/revisions/${before}/restore`, { withRevokedKeys: true });
    assert.deepEqual(await listFiles(gateway, secret), ['plan.jsonl']);
  });

  test('an answer that ends when its tenant is gone is not that of the next of the name', async (context) => {
    const { gateway, admin } = await start(context);
    const first = await makeTenant(admin);
    const streamed = await fetch(`${gateway.url}/v1/responses`, {
      method: 'POST',
      headers: { ...authorized(first), 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'anthropic/claude-sonnet-4-5',
        input: 'slow 60 ms per chunk\nlong 12',
        max_output_tokens: 100,
        stream: true,
      }),
    });
    await admin.must('DELETE', '/tenants/reuse');
    const second = await makeTenant(admin);
    const events = await streamed.text();
    assert.match(events, /response\.completed/);
    const id = /"id":"(resp_[^"]+)"/.exec(events)?.[1];
    // In memory at first, and then in the store.
    for (const waitMs of [0, 200]) {
      await sleep(waitMs);
      assert.equal((await gateway.get(`/v1/responses/${id}`, second)).status, 404);
    }
  });
});
