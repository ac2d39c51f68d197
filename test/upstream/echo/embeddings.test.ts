import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EmbeddingRequest } from '../../../src/conversation/embedding.ts';
import { embedInputs } from '../../../src/upstream/echo/embeddings.ts';

function vectorOf(input: string | number[], dimensions?: number): number[] {
  const request: EmbeddingRequest = { model: 'echo', inputs: [input] };
  const [vector] = embedInputs(dimensions === undefined ? request : { ...request, dimensions }).vectors;
  assert.ok(vector);
  return vector;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, place) => sum + value * (b[place] ?? 0), 0);
}

test('every vector has length 1, the dimensions asked for, and is exact in 32 bits', () => {
  const inputs = fc.oneof(fc.string({ minLength: 1 }), fc.array(fc.nat(200_000), { minLength: 1 }));
  fc.assert(
    fc.property(inputs, fc.integer({ min: 1, max: 300 }), (input, dimensions) => {
      const vector = vectorOf(input, dimensions);
      assert.equal(vector.length, dimensions);
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
      assert.deepEqual(vector.map(Math.fround), vector);
    }),
  );
});

test('without dimensions there are 256', () => {
  assert.equal(vectorOf('Hi').length, 256);
});

test('the same text has the same vector, whatever stands beside it', () => {
  const { vectors } = embedInputs({ model: 'echo', inputs: ['one', 'two', 'one'] });
  assert.deepEqual(vectors[0], vectors[2]);
  assert.deepEqual(vectors[1], vectorOf('two'));
});

test('texts that are spelled alike are nearer than others', () => {
  const cat = vectorOf('The cat sits on the mat.');
  const alike = dot(cat, vectorOf('A cat sat on the mat'));
  const other = dot(cat, vectorOf('Quarterly revenue grew by 7%'));
  assert.ok(alike > 0.4, `alike: ${alike}`);
  assert.ok(other < 0.25, `other: ${other}`);
  assert.ok(Math.abs(dot(cat, vectorOf('the CAT sits on the mat.')) - 1) < 1e-5);
});

test('usage counts words, and tokens where tokens were sent', () => {
  const { usage } = embedInputs({ model: 'echo', inputs: ['one two', [1, 2, 3]] });
  assert.equal(usage?.input, 5);
});

const REFUSED: [what: string, request: Partial<EmbeddingRequest>, param: string][] = [
  ['an empty text', { inputs: ['a', ''] }, 'input'],
  ['no tokens', { inputs: [[]] }, 'input'],
  ['too many texts', { inputs: Array.from({ length: 2049 }, () => 'a') }, 'input'],
  ['too long a text', { inputs: ['a'.repeat(1_000_001)] }, 'input'],
  ['no dimensions', { dimensions: 0 }, 'dimensions'],
  ['half a dimension', { dimensions: 1.5 }, 'dimensions'],
  ['too many dimensions', { dimensions: 5000 }, 'dimensions'],
];

for (const [what, request, param] of REFUSED) {
  test(`${what}: refused by name`, () => {
    assert.throws(() => embedInputs({ model: 'echo', inputs: ['a'], ...request }), {
      kind: 'invalid_request',
      param,
    });
  });
}
