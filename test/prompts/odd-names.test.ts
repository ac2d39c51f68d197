import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TEST_KEY } from '../support/gateway.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

const NAMES = ['c# and f#', 'what?', '100%', '{id}', 'größe/日本', 'a+b=c', '%2e', "it's; so: &"];
const gateway = await startPrompts(
  Object.fromEntries(NAMES.map((name) => [`${name}.prompt`, '---\nmodel: echo/echo\n---\nHi.\n'])),
);
after(gateway.stop);

test('prompts are called at the paths that the description has, whatever their names hold', async () => {
  const { paths } = (await (await gateway.get('/openapi.json', TEST_KEY)).json()) as { paths: object };
  const own = Object.keys(paths).filter((path) => path.startsWith('/v1/prompts/'));
  const called: (string | undefined)[] = [];
  for (const path of own) {
    const answer = await gateway.post(path, {});
    assert.equal(answer.status, 200, path);
    const { name } = (await (await gateway.get(path)).json()) as { name?: string };
    called.push(name);
  }
  assert.deepEqual(called.toSorted(), NAMES.toSorted());
});

test('they are models, too', async () => {
  for (const name of NAMES) {
    const answer = await gateway.post('/v1/chat/completions', { model: `prompt/${name}`, messages: [] });
    assert.equal(answer.status, 200, name);
  }
});
