import assert from 'node:assert/strict';
import { test } from 'node:test';
import { itemId } from '../../../src/dialects/responses/ids.ts';
import {
  expandRequest,
  inputItems,
  listInputItems,
  referencedResponses,
  resolveItems,
} from '../../../src/dialects/responses/stored.ts';

const EARLIER = {
  input: [{ role: 'user', content: 'One' }],
  output: [{ type: 'message', id: 'msg_1', role: 'assistant', content: [] }],
};

test('a request that goes on from a response has its items before its own, and no longer names it', () => {
  const body = { model: 'm', previous_response_id: 'resp_1', input: 'Two', temperature: 1 };
  assert.deepEqual(expandRequest(body, EARLIER), {
    model: 'm',
    temperature: 1,
    input: [...EARLIER.input, ...EARLIER.output, { role: 'user', content: 'Two' }],
  });
});

test('a reference to an item of the history is that item, which stands there already', () => {
  const input = [
    { type: 'item_reference', id: 'msg_1' },
    { role: 'user', content: 'Two' },
  ];
  assert.deepEqual(expandRequest({ input }, EARLIER)['input'], [
    ...EARLIER.input,
    ...EARLIER.output,
    { role: 'user', content: 'Two' },
  ]);
});

test('however many items are referred to, they are found at once', () => {
  // Were each looked for in the whole history, this would not end within the time that a file of tests has.
  const count = 700_000;
  const output = Array.from({ length: count }, (_, index) => ({ type: 'message', id: `msg_${index}` }));
  const input = output.map(({ id }) => ({ type: 'item_reference', id }));
  assert.deepEqual(expandRequest({ input }, { input: [], output })['input'], output);
});

test('a reference to any other item is refused by its path', () => {
  const input = [{ type: 'item_reference', id: 'msg_2' }];
  assert.throws(() => expandRequest({ input }, EARLIER), { kind: 'invalid_request', param: 'input[0].id' });
});

test('input as items, whichever form it has', () => {
  assert.deepEqual(inputItems({ input: 'x' }), [{ role: 'user', content: 'x' }]);
  assert.deepEqual(inputItems({}), []);
  assert.throws(() => inputItems({ input: ['x'] }), { param: 'input[0]' });
});

test('listed input items have an id, a type, and their content as a list', () => {
  const call = { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' };
  const input = [{ role: 'user', content: 'One' }, { role: 'assistant', content: 'Two' }, call];
  assert.deepEqual(listInputItems(input, 'resp_9'), [
    {
      id: 'msg_9__fl1__in0',
      type: 'message',
      status: 'completed',
      role: 'user',
      content: [{ type: 'input_text', text: 'One' }],
    },
    {
      id: 'msg_9__fl1__in1',
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'Two', annotations: [] }],
    },
    call,
  ]);
});

test('references to items of ours tell whose response they are, and are replaced by the items', () => {
  const id = itemId('function_call', 'resp_0190_a', 1);
  const input = [
    { type: 'item_reference', id },
    { type: 'item_reference', id: 'msg_of_openai' },
    { role: 'user', content: 'Two' },
  ];
  assert.deepEqual([...referencedResponses({ input })], ['resp_0190_a']);
  const call = { type: 'function_call', id, call_id: 'c', name: 'clock', arguments: '{}' };
  assert.deepEqual(resolveItems({ model: 'm', input }, [call]), {
    model: 'm',
    input: [call, ...input.slice(1)],
  });
});
