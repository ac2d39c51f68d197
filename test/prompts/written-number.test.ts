import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';
import { parseInput, plainNumbers } from '../../src/prompts/written-number.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

const SCHEMA = 'input: { schema: { id: integer, price: number, list?(array): number, box?: any } }';

/** What a template makes of an input, as it is sent. */
async function textOf(template: string, json: string, schema = SCHEMA): Promise<unknown> {
  const source = `---\nmodel: m\n${schema}\n---\n${template}`;
  const prompt = await compilePrompt({ name: 'hello', source, partials: {} });
  const call = { input: parseInput(json) as JsonObject, overrides: {}, stream: false };
  const { messages } = await makeChatRequest(prompt, call, undefined);
  return (messages as { content: string }[])[0]?.content;
}

test('numbers of an input are shown as they were written', async () => {
  const json =
    '{ "id": 12345678901234567890, "price": 1.10, "list": [1.0, 2, -0, 1E3], "box": { "a": [0.10] } }';
  assert.equal(await textOf('{{id}} {{price}}', json), '12345678901234567890 1.10');
  assert.equal(await textOf('{{#each list}}{{this}} {{/each}}', json), '1.0 2 -0 1E3');
  assert.equal(await textOf('{{list}}', json), '1.0,2,-0,1E3');
  assert.equal(await textOf('{{json box}} {{json this}}', json), `{"a":[0.10]} ${json.replace(/ /g, '')}`);
  assert.equal(await textOf('{{#with box}}{{lookup a 0}}{{/with}}', json), '0.10');
});

test('they are numbers where they are checked and compared', async () => {
  const json = (price: string) => `{ "id": 1.0, "price": ${price}, "list": [0.0, 1.0] }`;
  assert.equal(await textOf('{{#if price}}yes{{else}}no{{/if}}', json('0.00')), 'no');
  assert.equal(await textOf('{{#unless price}}yes{{else}}no{{/unless}}', json('0.00')), 'yes');
  assert.equal(await textOf('{{#if price includeZero=true}}yes{{/if}}', json('0.00')), 'yes');
  assert.equal(await textOf('{{#ifEquals price 1.1}}yes{{/ifEquals}}', json('1.10')), 'yes');
  assert.equal(await textOf('{{#unlessEquals price id}}no{{else}}yes{{/unlessEquals}}', json('1.00')), 'yes');
  assert.equal(await textOf('{{lookup list id}} {{price.source}}', json('1.00')), '1.0');
  assert.equal(await textOf('{{#each price}}x{{else}}none{{/each}}', json('1.00')), 'none');
  await assert.rejects(
    textOf('{{id}}', '{ "id": 1.10, "price": 1 }'),
    /'id': expected integer, found number/,
  );
  const typed = 'input: { schema: { type: object, properties: { a: { type: object, properties: {} } } } }';
  await assert.rejects(textOf('{{a}}', '{ "a": 1.10 }', typed), /'a': expected object, found number/);
});

test('what is no such number is parsed as ever', () => {
  for (const json of ['{"a":"1.10","b":[1,2.5,-3],"c":"[1.10,"}', '1', '"x"', '{"a":1.5e-7}', 'null'])
    assert.deepEqual(plainNumbers(parseInput(json) ?? null), JSON.parse(json));
  assert.equal(parseInput('{"a":1.10'), undefined);
  const deep = `${'['.repeat(100_000)}1.10${']'.repeat(100_000)}`;
  assert.notEqual(parseInput(deep), undefined);
  // Beyond 100,000 values they are as JavaScript has them.
  assert.equal(JSON.stringify(parseInput(`[${'1.10,'.repeat(100_000)}1]`)).slice(0, 8), '[1.1,1.1');
});

const gateway = await startPrompts({
  'bill.prompt': `---\nmodel: echo/m\n${SCHEMA}\n---\n{{id}} costs {{price}}`,
});
after(gateway.stop);

test('so they are at each door', async () => {
  const shown = '12345678901234567890 costs 1.10';
  const answer = await gateway.post('/v1/prompts/bill', '{"id":12345678901234567890,"price":1.10}', {
    headers: { 'content-type': 'application/json' },
  });
  assert.match(await answer.text(), new RegExp(shown));
  const form = new FormData();
  form.set('id', '12345678901234567890');
  form.set('price', '1.10');
  const sent = await fetch(`${gateway.url}/v1/prompts/bill`, {
    ...{ method: 'POST', body: form },
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
  assert.match(await sent.text(), new RegExp(shown));
  const asModel = await gateway.post('/v1/chat/completions', {
    model: 'prompt/bill',
    messages: [],
    metadata: { id: '12345678901234567890', price: '1.10' },
  });
  assert.match(await asModel.text(), new RegExp(shown));
});
