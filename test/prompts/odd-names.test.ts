import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { describeOperations } from '../../src/prompts/describe-operations.ts';
import { PromptCompiler } from '../../src/prompts/prompt-files.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

const NAMES = ['c# and f#', 'what?', '{id}', 'größe/日本', 'a+b=c', "it's; so: &"];
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

test('a name that something would read otherwise breaks its file', async () => {
  const compiler = new PromptCompiler(compilePrompt);
  const names = ['a@1', '100%', 'a*', '%2e', 'folder\\name', 'line\n', 'next\u0085', 'fol%der/good'];
  const files = new Map(names.map((name) => [`${name}.prompt`, 'Hi.']));
  const { prompts, broken } = await compiler.read(files);
  assert.deepEqual(prompts, []);
  assert.deepEqual(
    broken.map(({ error }) => error.message),
    ["'@'", "'%'", "'*'", "'%'", "'\\'", 'control character', 'control character', "'%'"].map(
      (what) => `the name of a prompt may hold no ${what}`,
    ),
  );
});

test('a stored name from before that, which generators of clients end at, is not described to them', async () => {
  const sources = ['100%', 'fol%der/50%25', 'rest'].map((name) => ({ name, source: 'Hi.', partials: {} }));
  const prompts = await Promise.all(sources.map((one) => compilePrompt(one)));
  const { paths, schemas } = describeOperations(prompts, { type: 'object' });
  assert.deepEqual([Object.keys(paths), Object.keys(schemas)], [['/v1/prompts/rest'], ['rest_input']]);
});
