import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';

const source = '---\nmodel: m\ninput: { schema: { picture: string } }\n---\n{{media url=picture}}';

async function look(picture: string): Promise<unknown> {
  const prompt = await compilePrompt({ name: 'look', source, partials: {} });
  const call = { input: { picture }, overrides: {}, stream: false };
  const { messages } = await makeChatRequest(prompt, call, undefined);
  return (messages as { content: unknown }[])[0]?.content;
}

test('a medium is where its address says, or in it', async () => {
  for (const url of ['https://example.com/a.png', 'gs://bucket/a.png', 'data:image/png;base64,AAAA'])
    assert.deepEqual(await look(url), [{ type: 'image_url', image_url: { url } }]);
});

test('a media type is what it is in capitals, too', async () => {
  for (const url of ['data:Image/PNG;base64,AAAA', 'DATA:image/png;base64,AAAA'])
    assert.deepEqual(await look(url), [{ type: 'image_url', image_url: { url } }]);
  assert.deepEqual(await look('data:AUDIO/WAV;base64,AAAA'), [
    { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
  ]);
});

test('what is no address is told as that: no provider could say more than that there is nothing', async () => {
  for (const text of ['photo.png', 'file-abc123', '/etc/hosts', '//example.com/a.png', 'AAAA', '1:2'])
    await assert.rejects(look(text), {
      ...{ kind: 'invalid_request', code: 'invalid_input' },
      message: 'The address of a medium is none: it is a URL such as https://…, or a data URL.',
    });
});

test('an address that nobody can fetch is told in the words of who gives it', async () => {
  for (const [url, message] of [
    ['ftp://example.com/a.png', /^The address of a medium begins with 'https:', 'http:' or 'data:'\.$/],
    ['file:///etc/hosts', /^The address of a medium begins with/],
    ['data:image/png', /^The data URL of a medium is not well-formed/],
    ['data:image/png,%zz', /^The data URL of a medium is not well-formed/],
  ] as const)
    await assert.rejects(look(url), { kind: 'invalid_request', code: 'invalid_input', message });
});
