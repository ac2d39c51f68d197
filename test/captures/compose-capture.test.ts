import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CaptureSource, composeCapture } from '../../src/captures/compose-capture.ts';
import { chatChunk } from '../support/raw-upstream.ts';

function source(differences: Partial<CaptureSource>): CaptureSource {
  return {
    ...{ form: 'chat', stream: false, redact: [], request: Buffer.from('{"model":"m"}') },
    answer: Buffer.from('{"id":"1"}'),
    ...differences,
  };
}

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const parse = (text: string | null) => JSON.parse(text ?? 'null') as unknown;

test('what the expressions match is blanked out in texts, numbers and names, of the prompt and of the answer', () => {
  const capture = composeCapture(
    source({
      redact: ['\\d{16}', '(?i:secret)-\\w+'],
      request: bytes({
        messages: [{ role: 'user', content: 'Pay with 4111111111111111\nand Secret-x9' }],
        card: 4111111111111111,
        'secret-field': true,
        n: 1,
      }),
      answer: bytes({ text: 'The card "4111111111111111" is secret-y.' }),
    }),
  );
  assert.deepEqual(parse(capture.request), {
    messages: [{ role: 'user', content: 'Pay with [redacted]\nand [redacted]' }],
    card: '[redacted]',
    '[redacted]': true,
    n: 1,
  });
  assert.deepEqual(parse(capture.response), { text: 'The card "[redacted]" is [redacted].' });
  assert.deepEqual([capture.truncated, capture.gap], [false, null]);
});

test('a stream becomes the answer that it makes up: what is cut across its events is redacted as a whole', () => {
  const pieces = ['Your card is 41111', '11111', '111111.'].map((text) => chatChunk(text));
  const stream = `${pieces.join('')}${chatChunk('', 'stop')}data: [DONE]\n\n`;
  const capture = composeCapture(source({ stream: true, redact: ['\\d{16}'], answer: Buffer.from(stream) }));
  const answer = parse(capture.response) as { object: string; choices: { message: { content: string } }[] };
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.choices[0]?.message.content, 'Your card is [redacted].');
});

test('a stream that broke off is what had come of it', () => {
  const stream = `${chatChunk('Half an ans')}`;
  const capture = composeCapture(source({ stream: true, answer: Buffer.from(stream) }));
  assert.match(capture.response ?? '', /Half an ans/);
});

test('the output of a prompt is kept as it is: JSON, or what the events of a stream make up', () => {
  const outputs: [string, boolean, unknown][] = [
    ['{"mood":"fine"}', false, { mood: 'fine' }],
    ['event: delta\ndata: {"text":"It "}\n\nevent: delta\ndata: {"text":"is"}\n\n', true, 'It is'],
    [
      'event: delta\ndata: {"partial_json":"{}"}\n\nevent: output\ndata: {"output":{"a":1},"finish":"stop"}\n\n',
      ...[true, { a: 1 }],
    ] as [string, boolean, unknown],
  ];
  for (const [answer, stream, kept] of outputs) {
    const capture = composeCapture(source({ form: 'output', stream, answer: Buffer.from(answer) }));
    assert.deepEqual([parse(capture.response), capture.gap], [kept, null]);
  }
});

test('a text output is kept as text, also where it is JSON', () => {
  for (const said of ['42', '{"mood":"fine"}', 'null', '"quoted"', 'It is fine.']) {
    const whole = composeCapture(source({ form: 'text', answer: Buffer.from(said) }));
    assert.equal(parse(whole.response), said);
    const events = `event: delta\ndata: ${JSON.stringify({ text: said })}\n\n`;
    const stream = composeCapture(source({ form: 'text', stream: true, answer: Buffer.from(events) }));
    assert.equal(parse(stream.response), said);
  }
});

test('an error that answers a call for a stream is kept as it is', () => {
  const error = { error: { message: 'no' } };
  const capture = composeCapture(source({ stream: true, answer: bytes(error) }));
  assert.deepEqual(parse(capture.response), error);
});

test('long texts are cut after they were redacted, and what is long in all is kept to its first megabyte', () => {
  const long = `${'a'.repeat(65_530)}4111111111111111${'b'.repeat(100)}`;
  const cut = composeCapture(source({ redact: ['\\d{16}'], answer: bytes({ long }) }));
  assert.doesNotMatch(cut.response ?? '', /411/);
  assert.match(cut.response ?? '', /characters cut\]"\}$/);
  assert.equal(cut.truncated, false);
  const many = composeCapture(
    source({ answer: bytes(Array.from({ length: 40 }, () => 'x'.repeat(60_000))) }),
  );
  assert.equal(many.truncated, true);
  assert.equal(many.response?.length, 1024 * 1024);
});

test('what cannot be read is not kept, and says so', () => {
  const text = composeCapture(
    source({ redact: ['secret'], answer: Buffer.from('a secret that is no JSON') }),
  );
  assert.deepEqual([text.response, text.gap], [null, 'unreadable']);
  const missing = composeCapture(source({ answer: null }));
  assert.deepEqual([missing.response, missing.gap], [null, 'too_large_or_binary']);
  assert.equal(missing.request, '{"model":"m"}');
});
