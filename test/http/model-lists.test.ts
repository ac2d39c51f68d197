import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GEMINI_METHODS } from '../../src/http/gemini-doors.ts';
import { describeModel, describeModels } from '../../src/http/model-lists.ts';

const IDS = Array.from({ length: 1200 }, (_, index) => `m${index}`);
const CREATED = 1_700_000_000;

test('a model at Google’s door has all the methods that the door has', () => {
  const { supportedGenerationMethods: methods } = describeModel('gemini', 'm', CREATED);
  assert.deepEqual(methods, GEMINI_METHODS);
  assert.ok(GEMINI_METHODS.includes('batchEmbedContents'));
});

test('a page at Google’s door has at most a thousand models, even if more are asked for', () => {
  for (const pageSize of ['1000', '1001', '5000']) {
    const list = describeModels('gemini', IDS, CREATED, { pageSize });
    assert.equal((list['models'] as unknown[]).length, 1000, pageSize);
    const rest = describeModels('gemini', IDS, CREATED, { pageSize, pageToken: list['nextPageToken'] });
    assert.equal((rest['models'] as unknown[]).length, 200);
  }
  for (const pageSize of ['0', '-1', '1.5', 'many']) {
    assert.throws(() => describeModels('gemini', IDS, CREATED, { pageSize }), { param: 'pageSize' });
  }
});

test('at Anthropic’s door more than a thousand are refused, as there', () => {
  assert.throws(() => describeModels('messages', IDS, CREATED, { limit: '1001' }), { param: 'limit' });
});
