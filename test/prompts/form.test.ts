import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../src/conversation/json.ts';
import { readForm } from '../../src/dialects/multipart/read-form.ts';
import { anyWords } from '../support/any-text.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { readEvents, startPrompts } from '../support/prompt-gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

let asked: JsonObject | undefined;
const upstream = await startRawUpstream((response, body) => {
  asked = JSON.parse(body) as JsonObject;
  response.setHeader('content-type', asked['stream'] === true ? 'text/event-stream' : 'application/json');
  const stream = `${chatChunk('O')}${chatChunk('K', 'stop')}data: [DONE]\n\n`;
  response.end(asked['stream'] === true ? stream : chatAnswer('OK'));
});
after(upstream.close);

const gateway = await startPrompts(
  {
    'look.prompt': `---
model: up/m
input:
  schema:
    image: string
    count?: integer
    strict?: boolean
    pages?(array): string
    about?: string
---
{{role "user"}}
{{about}} {{count}} {{#if strict}}strictly{{/if}}
{{media url=image}}
{{#each pages}}{{media url=this}}{{/each}}
`,
    'inherited.prompt': `---
model: up/m
input:
  schema:
    constructor: string
    toString?: string
    valueOf?(array): string
---
{{constructor}} {{#if toString}}and {{toString}}{{/if}}{{#each valueOf}}, {{this}}{{/each}}
`,
    'framed.prompt':
      '---\nmodel: up/m\n---\n{{role "user"}}\n\nAbout {{about}}:\n{{media url=image}}\nIs it open?\n\n',
    'anything.prompt': '---\nmodel: up/m\n---\n{{json @root}}\n',
  },
  {
    server: { port: 0, bodyLimit: '64KB' },
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  },
);
after(gateway.stop);

beforeEach(() => {
  asked = undefined;
});

/** As a browser or an SDK sends it. */
function send(
  fields: readonly (readonly [string, string | File])[],
  path = '/v1/prompts/look',
): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  return fetch(gateway.url + path, {
    ...{ method: 'POST', body: form },
    headers: { authorization: `Bearer ${TEST_KEY}` },
  });
}

const PIXELS = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10, 0, 255);
const IMAGE = new File([PIXELS], 'a.png', { type: 'image/png' });
const IMAGE_URL = `data:image/png;base64,${Buffer.from(PIXELS).toString('base64')}`;

function partsAsked(): JsonObject[] {
  const [message] = (asked?.['messages'] ?? []) as { content: JsonObject[] }[];
  return message?.content ?? [];
}

test('a file of a form is a data URL, and its fields are what their schema says', async () => {
  const answer = await send([
    ['image', IMAGE],
    ['count', '3'],
    ['strict', 'true'],
    ['about', '{"a": 1}'],
  ]);
  assert.equal(answer.status, 200, await answer.clone().text());
  const [text, image] = partsAsked();
  assert.match(String(text?.['text']), /\{"a": 1\} 3 strictly/);
  assert.deepEqual(image, { type: 'image_url', image_url: { url: IMAGE_URL } });
});

test('lines of the file around a role are no words of its message, beside a medium either', async () => {
  const fields: [string, string | File][] = [
    ['image', IMAGE],
    ['about', '  A shop  '],
  ];
  assert.equal((await send(fields, '/v1/prompts/framed')).status, 200);
  const texts = partsAsked().map(({ text }) => text ?? 'image');
  assert.deepEqual(texts, ['About   A shop  :\n', 'image', '\nIs it open?']);
});

test('files of one field are a list, of other types files', async () => {
  const pdf = new File(['%PDF-1.4'], 'b.pdf', { type: 'application/pdf' });
  const answer = await send([
    ['image', 'https://example.com/a.png'],
    ['pages', IMAGE],
    ['pages', pdf],
  ]);
  assert.equal(answer.status, 200, await answer.text());
  const media = partsAsked().filter(({ type }) => type !== 'text');
  assert.deepEqual(
    media.map(({ type }) => type),
    ['image_url', 'image_url', 'file'],
  );
  const file = media[2]?.['file'] as { file_data: string } | undefined;
  assert.equal(file?.file_data, `data:application/pdf;base64,${Buffer.from('%PDF-1.4').toString('base64')}`);
});

test('a form is answered with a stream as well', async () => {
  const answer = await send([['image', IMAGE]], '/v1/prompts/look?stream=true');
  assert.equal(readEvents(await answer.text()).at(-1)?.event, 'output');
});

test('what does not fit is refused with its path', async () => {
  const cases: [string, [string, string | File][]][] = [
    [
      'count',
      [
        ['image', IMAGE],
        ['count', 'many'],
      ],
    ],
    [
      'count',
      [
        ['image', IMAGE],
        ['count', IMAGE],
      ],
    ],
    [
      'other',
      [
        ['image', IMAGE],
        ['other', 'x'],
      ],
    ],
    ['image', [['about', 'x']]],
    [
      'image',
      [
        ['image', IMAGE],
        ['image', IMAGE],
      ],
    ],
  ];
  for (const [param, fields] of cases) {
    const answer = await send(fields);
    assert.equal(answer.status, 400, param);
    assert.equal(((await answer.json()) as { error: { param: string } }).error.param, param);
  }
  assert.equal(asked, undefined);
  const large = await send([['image', new File([new Uint8Array(80_000)], 'a.png', { type: 'image/png' })]]);
  assert.equal(large.status, 413);
});

test('a field may be called as what every object of JavaScript has, and is no more than a field', async () => {
  const proto = await send([
    ['image', IMAGE],
    ['__proto__', 'x'],
  ]);
  assert.equal(proto.status, 400);
  assert.equal(((await proto.json()) as { error: { param: string } }).error.param, '__proto__');
  const cases: [[string, string][], string][] = [
    [[['constructor', 'a']], 'a'],
    [
      [
        ['constructor', 'a'],
        ['toString', 'b'],
      ],
      'a and b',
    ],
    [
      [
        ['constructor', 'a'],
        ['valueOf', 'b'],
        ['valueOf', 'c'],
      ],
      'a , b, c',
    ],
  ];
  for (const [fields, said] of cases) {
    const answer = await send(fields, '/v1/prompts/inherited');
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(asked?.['messages'] && (asked['messages'] as JsonObject[])[0]?.['content'], said);
  }
  const fields: [string, string][] = [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ];
  assert.equal((await send(fields, '/v1/prompts/anything')).status, 200);
  const [{ content } = {}] = (asked?.['messages'] ?? []) as JsonObject[];
  assert.deepEqual(Object.entries(JSON.parse(String(content)) as JsonObject), fields);
});

test('every form that fetch writes is read as it was', async () => {
  const value = fc.oneof(anyWords(), fc.uint8Array({ maxLength: 50 }));
  const name = fc.stringMatching(/^\w{1,8}$/);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 6 }), async (fields) => {
      const form = new FormData();
      for (const [name, value] of fields)
        form.append(
          name,
          typeof value === 'string' ? value : new File([Uint8Array.from(value)], 'f', { type: 'a/b' }),
        );
      const response = new Response(form);
      const boundary = /boundary=(.*)$/.exec(response.headers.get('content-type') ?? '')?.[1] ?? '';
      const parts = readForm(Buffer.from(await response.arrayBuffer()), boundary);
      const written = fields.map(([name, value]) => {
        // What forms do with lone line breaks (HTML, "multipart/form-data encoding algorithm").
        const content =
          typeof value === 'string' ? Buffer.from(value.replace(/\r\n|\r|\n/g, '\r\n')) : Buffer.from(value);
        return { name, isFile: typeof value !== 'string', content: content.toString('hex') };
      });
      assert.deepEqual(
        parts.map(({ name, isFile, content }) => ({ name, isFile, content: content.toString('hex') })),
        written,
      );
    }),
  );
});

test('a body that is no form is refused', async () => {
  const headers = { 'content-type': 'multipart/form-data; boundary=x' };
  for (const body of [
    '',
    'x',
    '--x',
    '--x\r\n',
    '--x\r\n\r\n',
    '--x\r\na: b\r\n\r\nc\r\n--x--',
    '--x!\r\n--x--',
  ])
    assert.equal((await gateway.post('/v1/prompts/look', body, { headers })).status, 400, body);
});

interface PromptError {
  error: { message: string; param: string };
}

test('text that is no UTF-8 is refused, as JSON and in a form: another text would be asked for', async () => {
  const json = await gateway.post('/v1/prompts/anything', Buffer.from('{"a":"\xff"}', 'latin1'));
  assert.equal(json.status, 400);
  assert.match(((await json.json()) as PromptError).error.message, /not valid UTF-8 \(at byte 6\)/);
  for (const [path, name] of [
    ['anything', 'a'],
    ['look', 'pages'],
  ] as const) {
    const text = `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n\xff\r\n--b--\r\n`;
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    const form = await gateway.post(`/v1/prompts/${path}`, Buffer.from(text, 'latin1'), { headers });
    assert.equal(form.status, 400);
    const { error } = (await form.json()) as PromptError;
    assert.equal(error.param, name);
    assert.match(error.message, new RegExp(`^'${name}' is not valid UTF-8`));
  }
  assert.equal(asked, undefined);
  const sent = await gateway.post('/v1/prompts/anything', { a: '\ufffd' });
  assert.equal(sent.status, 200);
});
