import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { estimateTokens } from '../../src/gateway/estimate-tokens.ts';
import { countText } from '../../src/tokens/encoders.ts';

const bodyOf = (value: unknown) => Buffer.from(JSON.stringify(value));
const saying = (content: string) => bodyOf({ model: 'm', messages: [{ role: 'user', content }] });

const TEXTS: Record<string, string> = {
  English: 'The gateway sends each call to the place that answers it best, and says why it did. ',
  German: 'Das Gateway schickt jeden Aufruf dorthin, wo er am besten beantwortet wird. ',
  Chinese: '网关把每个请求发送到最合适的模型并说明原因请告诉我今天的天气怎么样',
  Japanese: 'ゲートウェイはそれぞれの呼び出しを最も良く答える場所へ送ります',
  Korean: '게이트웨이는 각 호출을 가장 잘 답하는 곳으로 보냅니다',
  Russian: 'Шлюз отправляет каждый вызов туда, где на него лучше всего ответят. ',
  emoji: '🎉🚀🌍',
  code: 'const x = items.filter((item) => item.size > 0).map(({ name }) => name);\n',
};

for (const [what, text] of Object.entries(TEXTS)) {
  test(`${what} is estimated within half and twice what it counts, also where its letters are written in ASCII`, () => {
    const long = text.repeat(50);
    const counted = countText('o200k_base', long);
    const escaped = saying(long)
      .toString()
      .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    for (const body of [saying(long), Buffer.from(escaped)]) {
      const estimated = estimateTokens(body);
      assert.ok(
        estimated > counted / 2 && estimated < counted * 2,
        `${estimated} estimated, ${counted} counted`,
      );
    }
  });
}

test('a text without a space is text, as long as it does not stand where media do', () => {
  const base64 = randomBytes(30_000).toString('base64');
  assert.ok(estimateTokens(saying(base64)) >= 10_000);
  const media: unknown[] = [
    { type: 'image_url', image_url: { url: `data:image/png;base64,${base64}` } },
    { type: 'input_image', image_url: `data:image/png;base64,${base64}` },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: base64 } },
    { inlineData: { mimeType: 'image/png', data: base64 } },
    { type: 'file', file: { filename: 'a.pdf', file_data: base64 } },
    { type: 'thinking', thinking: 'Hm', signature: base64 },
    { functionCall: { name: 'f', args: {} }, thoughtSignature: base64 },
    { type: 'reasoning', encrypted_content: base64 },
  ];
  for (const part of media)
    assert.ok(estimateTokens(bodyOf([part])) < 100, JSON.stringify(part).slice(0, 60));
});

test('text that stands where media may is text', () => {
  assert.ok(estimateTokens(bodyOf({ input: { data: 'some words '.repeat(1_000) } })) > 2_000);
});

test('any JSON has an estimate, never above its bytes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const body = bodyOf(value);
      const estimated = estimateTokens(body);
      assert.ok(estimated >= 0 && estimated <= body.length);
    }),
  );
});
