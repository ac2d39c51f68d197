import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ADMIN_KEY, startGateway } from '../support/gateway.ts';

const gateway = await startGateway();
after(() => gateway.stop());
for (const model of ['echo/echo', 'echo/a,"b"', 'nobody/has-this']) {
  await gateway.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] });
}
await gateway.calls(3);

function ask(path: string, accept?: string): Promise<Response> {
  return fetch(gateway.url + path, {
    headers: { authorization: `Bearer ${ADMIN_KEY}`, ...(accept !== undefined && { accept }) },
  });
}

test('calls as CSV, by parameter or by header', async () => {
  for (const answer of [await ask('/admin/v1/calls?format=csv'), await ask('/admin/v1/calls', 'text/csv')]) {
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8; header=present');
    assert.equal(answer.headers.get('content-disposition'), 'attachment; filename="calls.csv"');
    const lines = (await answer.text()).split('\r\n');
    assert.match(lines[0] ?? '', /^id,startedAt,tenant,key,/);
    assert.equal(lines.length, 5);
    assert.match(lines[2] ?? '', /,"echo\/a,""b""",/);
  }
});

test('calls as NDJSON, those that meet the filters', async () => {
  const answer = await ask('/admin/v1/calls?format=ndjson&outcome=ok&model=echo/echo');
  assert.equal(answer.headers.get('content-type'), 'application/x-ndjson; charset=utf-8');
  const lines = (await answer.text()).trimEnd().split('\n');
  assert.equal(lines.length, 1);
  const all = await gateway.calls(3);
  assert.deepEqual(
    JSON.parse(lines[0] ?? ''),
    all.find(({ model }) => model === 'echo/echo'),
  );
});

test('usage as CSV and NDJSON', async () => {
  const csv = await (await ask('/admin/v1/usage?by=tenant,model', 'text/csv;q=0.9, */*')).text();
  assert.match(csv, /^tenant,model,calls,failed,input,/);
  assert.match(csv, /\r\nacme,echo\/echo,1,0,/);
  const { data } = (await (await ask('/admin/v1/usage?by=tenant,model')).json()) as { data: object[] };
  const lines = await (await ask('/admin/v1/usage?by=tenant,model', 'application/x-ndjson')).text();
  assert.deepEqual(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    data,
  );
});

test('an export that cannot be made is refused before it begins', async () => {
  const refused: [path: string, param: string][] = [
    ['/admin/v1/calls?format=xml', 'format'],
    ['/admin/v1/usage?format=', 'format'],
    ['/admin/v1/calls?format=csv&limit=5', 'limit'],
    ['/admin/v1/calls?format=csv&outcome=good', 'outcome'],
  ];
  for (const [path, param] of refused) {
    const answer = await ask(path);
    const { error } = (await answer.json()) as { error: { param: string } };
    assert.deepEqual([answer.status, error.param], [400, param]);
  }
});
