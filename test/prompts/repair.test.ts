import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startPrompts } from '../support/prompt-gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** What the model says to one request after the other, and what it was asked. */
let answers: string[] = [];
let asked: JsonObject[] = [];
/** When a stream may end. */
let held: Promise<void> = Promise.resolve();
const upstream = await startRawUpstream((response, body) => {
  const request = JSON.parse(body) as JsonObject;
  asked.push(request);
  const answer = answers.shift() ?? 'nothing';
  if (request['stream'] === true) {
    response.setHeader('content-type', 'text/event-stream');
    response.write(chatChunk(answer));
    void held.then(() => response.end(`${chatChunk('', 'stop')}data: [DONE]\n\n`));
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(answer.startsWith('{"id"') ? answer : chatAnswer(answer));
});
after(upstream.close);

const PROMPT = `model: up/m
input: { schema: { text: string } }
output: { schema: { "kind(enum)": [bug, wish], urgent: boolean } }`;
const gateway = await startPrompts(
  {
    'triage.prompt': `---\n${PROMPT}\n---\n{{text}}\n`,
    'strict.prompt': `---\n${PROMPT}\nfairlead.repairs: 0\n---\n{{text}}\n`,
    'patient.prompt': `---\n${PROMPT}\nfairlead.repairs: 2\n---\n{{text}}\n`,
  },
  { providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } } },
);
after(gateway.stop);

beforeEach(() => {
  answers = [];
  asked = [];
});

const GOOD = '{"kind": "bug", "urgent": true}';
const BAD = '{"kind": "praise", "urgent": true}';

async function faultOf(answer: Response): Promise<{ code: string; message: string }> {
  return ((await answer.json()) as { error: { code: string; message: string } }).error;
}

/** Records are written a moment after their calls. */
async function recordOf(id: string | null): Promise<UsageRecord> {
  for (let count = 1; ; count++) {
    const record = (await gateway.calls(count)).find((call) => call.id === id);
    if (record) return record;
  }
}

test('an output that breaks its schema is asked for again, with what is wrong with it', async () => {
  answers = [BAD, GOOD];
  const answer = await gateway.post('/v1/prompts/triage', { text: 'x' });
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), GOOD);
  assert.equal(answer.headers.get('x-fairlead-attempts'), '2');
  const messages = asked[1]?.['messages'] as { role: string; content: string }[];
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'user'],
  );
  assert.equal(messages[1]?.content, BAD);
  assert.match(messages[2]?.content ?? '', /cannot be used.*'kind'/);
});

test('the record has both attempts, each with what it used, and why the first was none', async () => {
  answers = ['no JSON', GOOD];
  const answer = await gateway.post('/v1/prompts/triage', { text: 'x' });
  const id = answer.headers.get('x-request-id');
  const record = await recordOf(id);
  assert.deepEqual(
    record.attempts.map(({ outcome, reason }) => [outcome, reason]),
    [
      ['upstream_unavailable', 'invalid_output'],
      ['ok', undefined],
    ],
  );
  assert.equal(record.outcome, 'ok');
  assert.equal(record.usage?.input, 6);
  assert.equal(record.attempts[0]?.usage?.input, 3);
});

test('one repair is made, or as many as the prompt says; then it is an error', async () => {
  for (const [name, attempts] of [
    ['strict', 1],
    ['triage', 2],
    ['patient', 3],
  ] as const) {
    asked = [];
    answers = [BAD, BAD, BAD, GOOD];
    const answer = await gateway.post(`/v1/prompts/${name}`, { text: 'x' });
    assert.equal(answer.status, 502, name);
    const fault = await faultOf(answer);
    assert.equal(fault.code, 'invalid_output');
    assert.match(fault.message, /'kind'/);
    assert.equal(asked.length, attempts, name);
  }
});

test('what cannot be mended is not asked for again: a refusal, and an answer that was cut', async () => {
  const choice = (message: object, finish: string) =>
    JSON.stringify({
      ...(JSON.parse(chatAnswer('')) as object),
      choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finish }],
    });
  answers = [choice({ content: null, refusal: 'I will not.' }, 'stop')];
  const refused = await faultOf(await gateway.post('/v1/prompts/triage', { text: 'x' }));
  assert.equal(refused.code, 'refused');
  assert.match(refused.message, /I will not\./);
  answers = [choice({ content: '{"kind": "b' }, 'length')];
  const cut = await faultOf(await gateway.post('/v1/prompts/triage', { text: 'x' }));
  assert.equal(cut.code, 'invalid_output');
  assert.match(cut.message, /limit of tokens/);
  assert.equal(asked.length, 2);
});

test('answers that are no output do not take their place out of service', async () => {
  for (let calls = 0; calls < 30; calls++) {
    answers = [BAD, BAD];
    assert.equal((await gateway.post('/v1/prompts/triage', { text: 'x' })).status, 502);
  }
  answers = [GOOD];
  assert.equal((await gateway.post('/v1/prompts/triage', { text: 'x' })).status, 200);
  assert.doesNotMatch(gateway.logs(), /a provider failed/);
});

test('a stream that has begun is not repaired; one that said nothing is', async () => {
  answers = [BAD, GOOD];
  const rest = Promise.withResolvers<void>();
  held = rest.promise;
  const answer = await gateway.post('/v1/prompts/triage?stream=true', { text: 'x' });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.match((await reader?.read())?.value ?? '', /^event: delta/);
  rest.resolve();
  let text = '';
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) text += read.value;
  assert.match(text, /^event: error\ndata: .*invalid_output/);
  assert.equal(asked.length, 1);
  const id = answer.headers.get('x-request-id');
  const record = await recordOf(id);
  assert.equal(record.outcome, 'upstream_unavailable');
  answers = ['', GOOD];
  const silent = await (await gateway.post('/v1/prompts/triage?stream=true', { text: 'x' })).text();
  assert.match(silent, /event: output\ndata: \{"output":\{"kind": "bug", "urgent": true\}/);
  assert.equal(asked.length, 3);
});

test('a stream that begins with words before its JSON has not begun, and is repaired', async () => {
  answers = [`Here you are: ${GOOD}`, GOOD];
  // The words come by themselves.
  held = sleep(100);
  const text = await (await gateway.post('/v1/prompts/triage?stream=true', { text: 'x' })).text();
  assert.match(text, /event: output\ndata: \{"output":\{"kind": "bug", "urgent": true\}/);
  assert.doesNotMatch(text, /Here|event: error/);
  assert.equal(asked.length, 2);
});
