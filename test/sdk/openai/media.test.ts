import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError } from 'openai';
import type {
  ChatCompletionContentPart,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import { PIXEL_PNG } from '../../support/pixel.ts';
import { DIFFERENCES } from '../differences.ts';
import { startWorld } from '../support.ts';
import { ask, replay, WAYS } from './answers.ts';

const world = await startWorld();
const { client } = world;

const PNG = `data:image/png;base64,${PIXEL_PNG}`;
const PDF_BYTES = Buffer.from('%PDF-1.4 é\n');
const PDF = `data:application/pdf;base64,${PDF_BYTES.toString('base64')}`;
const WORD = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';

function show(...parts: ChatCompletionContentPart[]): ChatCompletionMessageParam[] {
  return [{ role: 'user', content: parts }];
}

const INPUTS: { what: string; part: ChatCompletionContentPart; seen: string }[] = [
  {
    what: 'an image as a data URL',
    part: { type: 'image_url', image_url: { url: PNG } },
    seen: 'image image/png 68 bytes',
  },
  {
    what: 'an image by its address',
    part: { type: 'image_url', image_url: { url: 'https://example.com/a%20cat.png?size=1' } },
    seen: 'image https://example.com/a%20cat.png?size=1',
  },
  {
    what: 'a PDF',
    part: { type: 'file', file: { filename: 'paper.pdf', file_data: PDF } },
    seen: `file application/pdf ${PDF_BYTES.length} bytes`,
  },
];

for (const { what, part, seen } of INPUTS) {
  world.each(`${what} reaches the model`, async ({ model }) => {
    for (const way of WAYS) {
      const messages = show({ type: 'text', text: 'What is this?' }, part);
      const { answer } = await ask(client, { model, messages }, way);
      assert.equal(answer.content, `Saw ${seen}`);
    }
  });
}

type PartialInput = 'storedFile' | 'wordDocument' | 'sound' | 'addressWithoutType';

/** Inputs that not every kind of provider takes: a model that does not is told of in a 400 that says where. */
const PARTIAL_INPUTS: { what: PartialInput; part: ChatCompletionContentPart; seen: string }[] = [
  { what: 'storedFile', part: { type: 'file', file: { file_id: 'file-1' } }, seen: 'file file-1' },
  {
    what: 'wordDocument',
    part: { type: 'file', file: { filename: 'a.docx', file_data: `data:${WORD};base64,UEsDBA==` } },
    seen: `file ${WORD} 4 bytes`,
  },
  {
    what: 'sound',
    part: { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
    seen: 'audio audio/wav 4 bytes',
  },
  {
    what: 'addressWithoutType',
    part: { type: 'image_url', image_url: { url: 'https://example.com/cat' } },
    seen: 'image https://example.com/cat',
  },
];

for (const { what, part, seen } of PARTIAL_INPUTS) {
  world.each(`${what}: taken or refused with a 400`, async ({ model, name }) => {
    const params = { model, messages: show({ type: 'text', text: 'What is this?' }, part) };
    const taken = DIFFERENCES[what][name];
    if (typeof taken === 'boolean') {
      assert.equal((await ask(client, params)).answer.content, `Saw ${seen}`);
      return;
    }
    await assert.rejects(client.chat.completions.create(params), (error) => {
      assert.ok(error instanceof BadRequestError);
      assert.equal(error.param, taken.param);
      return true;
    });
  });
}

const TOOLS = [{ type: 'function' as const, function: { name: 'camera' } }];
/** OpenAI's own types know text only here; other clients and servers send images. */
const PHOTO = [
  { type: 'text', text: 'a photo' },
  { type: 'image_url', image_url: { url: PNG } },
] as unknown as string;

world.each('an image in a tool result', async ({ name }) => {
  const { model, seen } = DIFFERENCES.imageInToolResult[name];
  const question: ChatCompletionMessageParam = { role: 'user', content: 'call camera' };
  for (const way of WAYS) {
    const first = await ask(client, { model, messages: [question], tools: TOOLS }, way);
    const [call] = first.calls;
    assert.ok(call);
    const result: ChatCompletionMessageParam = { role: 'tool', tool_call_id: call.id, content: PHOTO };
    const second = ask(client, { model, messages: [question, replay(first), result], tools: TOOLS }, way);
    if (seen === undefined) await assert.rejects(second, { status: 400, param: 'messages[2]' });
    else assert.equal((await second).answer.content, seen);
  }
});

test('an image from a tool stands beside the result for models that take none inside', async () => {
  const model = 'gemini/gemini-2.5-flash';
  const question: ChatCompletionMessageParam = { role: 'user', content: 'call camera' };
  const first = await ask(client, { model, messages: [question], tools: TOOLS });
  const [call] = first.calls;
  assert.ok(call);
  const result: ChatCompletionMessageParam = { role: 'tool', tool_call_id: call.id, content: PHOTO };
  const second = await ask(client, { model, messages: [question, replay(first), result], tools: TOOLS });
  assert.equal(second.answer.content, 'Saw image image/png 68 bytes');
});

world.each('a hint how closely to look is dropped where it means nothing', async ({ model, name }) => {
  const { response } = await client.chat.completions
    .create({ model, messages: show({ type: 'image_url', image_url: { url: PNG, detail: 'high' } }) })
    .withResponse();
  assert.equal(response.headers.get('x-fairlead-dropped'), DIFFERENCES.imageDetail[name]);
});

test('the usage records say what the providers served', () =>
  // OpenAI refuses sound for its model and (twice) the image in a tool result, Gemini the Word document.
  world.checkBooks(4));
