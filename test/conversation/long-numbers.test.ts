import assert from 'node:assert/strict';
import { Session } from 'node:inspector/promises';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { parseExactly, parseKeepingArguments } from '../../src/conversation/exact-numbers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import {
  noteLongNumbers,
  noteOtherNumbers,
  writeWithLongNumbers,
} from '../../src/conversation/long-numbers.ts';
import { scale } from '../support/scale.ts';

function read(text: string): JsonObject {
  const request = parseKeepingArguments(text);
  assert.ok(isObject(request));
  noteLongNumbers(request, text);
  return request;
}

function list(sources: readonly string[]): string {
  return `{"list":[${sources.join(',')}]}`;
}

test('whole numbers beyond those of JavaScript are written as they stood, wherever they went', () => {
  const request = read('{"a":12345678901234567890,"b":{"maximum":-9007199254740993},"c":1e400,"d":7}');
  const { a, b, c, d } = request;
  assert.equal(
    writeWithLongNumbers({ d, list: [b ?? null], inner: { a, c } }, request),
    '{"d":7,"list":[{"maximum":-9007199254740993}],"inner":{"a":12345678901234567890,"c":1e400}}',
  );
});

test('a long number is written as it stood as often as it is there, and where a codec wrote it twice', () => {
  const text = '{"a":9007199254740993,"b":[9007199254740993]}';
  const request = read(text);
  const { a } = request;
  assert.equal(writeWithLongNumbers(request, request), text);
  assert.equal(
    writeWithLongNumbers({ x: a, y: a, z: a }, request),
    '{"x":9007199254740993,"y":9007199254740993,"z":9007199254740993}',
  );
});

for (const [what, sources, written] of [
  ['an exact one first', ['9007199254740992', '9007199254740993'], ['9007199254740992', '9007199254740992']],
  ['an exact one last', ['9007199254740993', '9007199254740992'], ['9007199254740992', '9007199254740992']],
  [
    'the end of 64 bits beside what it becomes',
    ['18446744073709551615', '18446744073709552000'],
    ['18446744073709552000', '18446744073709552000'],
  ],
  ['an exponent', ['10000000000000000001', '1e19'], ['10000000000000000000', '10000000000000000000']],
  ['a fraction', ['9007199254740993', '9007199254740992.0'], ['9007199254740992', '9007199254740992']],
  [
    'two lost ones',
    ['1234567890123456789', '1234567890123456790'],
    ['1234567890123456800', '1234567890123456800'],
  ],
  [
    'others beside them',
    ['9007199254740993', '-9007199254740993', '9007199254740992', '9007199254740995'],
    ['9007199254740992', '-9007199254740993', '9007199254740992', '9007199254740995'],
  ],
] as const) {
  test(`those that became one number are written as JavaScript has it: ${what}`, () => {
    const request = read(list(sources));
    assert.equal(writeWithLongNumbers(request, request), list(written));
  });
}

test('two that became one number are not swapped by a body that has them in another order', () => {
  const request = read('{"tools":[{"const":18446744073709551615}],"messages":[{"id":18446744073709551614}]}');
  const { tools, messages } = request;
  assert.equal(
    writeWithLongNumbers({ messages, tools }, request),
    '{"messages":[{"id":18446744073709552000}],"tools":[{"const":18446744073709552000}]}',
  );
});

test('a zero stays a zero beside a negative one', () => {
  const request = read('{"a":-0,"b":9007199254740993}');
  assert.equal(
    writeWithLongNumbers({ index: 0, ...request }, request),
    '{"index":0,"a":0,"b":9007199254740993}',
  );
});

test('an exact number of arguments that stood as text is not taken for a long one of the request', () => {
  const request = read('{"const":9007199254740993,"arguments":"{\\"id\\":9007199254740992}"}');
  const input = parseExactly(String(request['arguments']));
  assert.ok(input !== undefined);
  assert.equal(
    writeWithLongNumbers({ input, const: request['const'] }, request),
    '{"input":{"id":9007199254740992},"const":9007199254740993}',
  );
});

test('what a body has from elsewhere is not taken for a long number of the request', () => {
  const request = read('{"a":9007199254740993,"b":9007199254740995}');
  const earlier: JsonValue = [{ id: [9007199254740992], text: '9007199254740996' }];
  noteOtherNumbers(request, earlier);
  assert.equal(
    writeWithLongNumbers({ earlier, ...request }, request),
    '{"earlier":[{"id":[9007199254740992],"text":"9007199254740996"}],"a":9007199254740992,"b":9007199254740995}',
  );
});

test('other numbers, texts and arguments are written as ever', () => {
  const text =
    '{"id":"12345678901234567890","n":1,"input":{"id":12345678901234567890,"whole":1.0},"x":12345678901234567890}';
  const request = read(text);
  assert.equal(writeWithLongNumbers(request, request), text);
  assert.equal(writeWithLongNumbers({ a: 1 }, undefined), '{"a":1}');
});

/** Numbers of which many become the same one. */
const source = fc.oneof(
  fc.bigInt({ min: 2n ** 53n - 2n, max: 2n ** 53n + 8n }).map(String),
  fc.bigInt({ min: 2n ** 64n - 2050n, max: 2n ** 64n + 2050n }).map(String),
  fc.constantFrom('18446744073709551615', '18446744073709552000', '-9007199254740993', '-9007199254740992'),
  fc.constantFrom(
    '0',
    '-0',
    '1.0',
    '0.1',
    '1e19',
    '10000000000000000000',
    '10000000000000000001',
    '1e400',
    '2e400',
  ),
  fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);

test('no number that was exact is ever changed, and no other one becomes what JavaScript or the caller did not say', () => {
  const shuffled = fc.array(source, { minLength: 1, maxLength: 30 }).chain((sources) =>
    fc.record({
      sources: fc.constant(sources),
      order: fc.shuffledSubarray([...sources.keys()], { minLength: 1 }),
    }),
  );
  fc.assert(
    fc.property(shuffled, ({ sources, order }) => {
      const request = read(list(sources));
      const values = request['list'];
      assert.ok(Array.isArray(values));
      const text = writeWithLongNumbers({ list: order.map((at) => values[at] ?? null) }, request);
      const written = text.slice('{"list":['.length, -']}'.length).split(',');
      for (const [index, at] of order.entries()) {
        const stood = sources[at] ?? '';
        const inJavaScript = JSON.stringify(Number(stood));
        const isAlone = sources.every((other) => other === stood || Number(other) !== Number(stood));
        if (inJavaScript === stood) assert.equal(written[index], stood);
        else if (/^-?\d{16,}$/.test(stood) && isAlone) assert.equal(written[index], stood);
        else if (!isAlone) assert.equal(written[index], inJavaScript);
        else assert.ok([stood, inJavaScript].includes(written[index] ?? ''));
      }
    }),
    { numRuns: scale({ sample: 300, heavy: 1_000 }) },
  );
});

// Optimised code does not count its calls.
setFlagsFromString('--no-maglev');
setFlagsFromString('--no-turbofan');

/** How often the blocks of the module were gone through by what `run` does. */
async function countSteps(run: () => void): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    run();
    const { result } = await session.post('Profiler.takePreciseCoverage');
    const module = result.find(({ url }) => url.endsWith('/src/conversation/long-numbers.ts'));
    assert.ok(module);
    return module.functions.flatMap(({ ranges }) => ranges).reduce((steps, { count }) => steps + count, 0);
  } finally {
    session.disconnect();
  }
}

const MOST_STEPS_PER_NUMBER = 10;

for (const [what, sourceAt] of [
  ['the same', () => '9007199254740993'],
  ['two that become one', (index) => (index % 2 === 0 ? '9007199254740993' : '9007199254740992')],
  ['different', (index) => String(2n ** 60n + 1n + 1024n * BigInt(index))],
] as const satisfies readonly (readonly [string, (index: number) => string])[]) {
  test(`50,000 long numbers take steps in proportion: ${what}`, async () => {
    // The smaller body first: a square would show there before it takes minutes.
    for (const count of [2_000, 50_000]) {
      const text = list(Array.from({ length: count }, (_, index) => sourceAt(index)));
      const steps = await countSteps(() => {
        const request = read(text);
        const isDoubtful = text.includes('9007199254740992');
        assert.equal(writeWithLongNumbers(request, request), isDoubtful ? JSON.stringify(request) : text);
      });
      assert.ok(steps >= count, `${steps} steps for ${count} numbers: they were not counted`);
      assert.ok(steps <= MOST_STEPS_PER_NUMBER * count, `${steps} steps for ${count} numbers`);
    }
  });
}
