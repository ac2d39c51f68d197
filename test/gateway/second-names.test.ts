import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startGateway } from '../support/gateway.ts';

const fake = await startFakeGemini();
const gateway = await startGateway({
  providers: { gemini: { baseUrl: fake.url, accounts: [{ name: 'a', apiKey: fake.apiKey }] } },
});
after(() => Promise.all([gateway.stop(), fake.close()]));

test('what Google’s list puts before the names of models makes no second name, without the limits and the price of the first', async () => {
  const statuses = [];
  for (const name of ['gemini-2.5-flash', 'models/gemini-2.5-flash']) {
    const body = { model: `gemini/${name}`, messages: [{ role: 'user', content: 'Hi' }] };
    statuses.push((await gateway.post('/v1/chat/completions', body)).status);
  }
  assert.deepEqual(statuses, [200, 404]);
  const path = '/v1beta/models/gemini/models/gemini-2.5-flash:generateContent';
  const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];
  assert.equal((await gateway.post(path, { contents })).status, 404);
  assert.equal(fake.requests.length, 1);
});
