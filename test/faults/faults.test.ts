import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import { FAULTS, type Fault } from './faults.ts';

const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
const WORDS = 'Whole words';

/** What the client reads in the dialect of a door. */
interface Door {
  path(model: string, stream: boolean): string;
  body(model: string, stream: boolean): object;
  /** The words of an answer that is whole; of one that is not, nothing. */
  read(text: string, stream: boolean): string | undefined;
  isError(body: unknown): boolean;
  /** How a stream says that it broke off. */
  brokenOff: RegExp;
}

/** What is there, however deep; `undefined` where nothing is. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
}

const listAt = (value: unknown, ...path: (string | number)[]): unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

const join = (words: unknown[]): string => words.filter((word) => typeof word === 'string').join('');

const eventsOf = (text: string): unknown[] =>
  text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as unknown);

const DOORS: Record<string, Door> = {
  chat: {
    path: () => '/v1/chat/completions',
    body: (model, stream) => ({ model, stream, messages: [{ role: 'user', content: 'Hi' }] }),
    read: (text, stream) => {
      if (!stream) return join([at(JSON.parse(text), 'choices', 0, 'message', 'content')]);
      if (!text.endsWith('data: [DONE]\n\n')) return undefined;
      return join(eventsOf(text).map((event) => at(event, 'choices', 0, 'delta', 'content')));
    },
    isError: (body) => typeof at(body, 'error', 'message') === 'string',
    brokenOff: /data: \{"error":/,
  },
  responses: {
    path: () => '/v1/responses',
    body: (model, stream) => ({ model, stream, input: 'Hi' }),
    read: (text, stream) => {
      const isLast = (event: unknown) => at(event, 'type') === 'response.completed';
      const whole: unknown = stream ? at(eventsOf(text).find(isLast), 'response') : JSON.parse(text);
      const parts = listAt(whole, 'output').flatMap((item) => listAt(item, 'content'));
      return join(parts.map((part) => at(part, 'text')));
    },
    isError: (body) => typeof at(body, 'error', 'message') === 'string',
    brokenOff: /"type":"(?:error|response\.failed)"/,
  },
  messages: {
    path: () => '/v1/messages',
    body: (model, stream) => ({ model, stream, max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }] }),
    read: (text, stream) => {
      if (!stream) return join(listAt(JSON.parse(text), 'content').map((block) => at(block, 'text')));
      const events = eventsOf(text);
      if (at(events.at(-1), 'type') !== 'message_stop') return undefined;
      return join(events.map((event) => at(event, 'delta', 'text')));
    },
    isError: (body) => at(body, 'type') === 'error' && typeof at(body, 'error', 'message') === 'string',
    brokenOff: /event: error\ndata: \{"type":"error"/,
  },
  gemini: {
    path: (model, stream) =>
      `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: () => ({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }),
    read: (text, stream) => {
      const answers: unknown[] = stream ? eventsOf(text) : [JSON.parse(text)];
      if (!answers.some((answer) => at(answer, 'candidates', 0, 'finishReason') === 'STOP')) return undefined;
      const parts = answers.flatMap((answer) => listAt(answer, 'candidates', 0, 'content', 'parts'));
      return join(parts.map((part) => at(part, 'text')));
    },
    isError: (body) => typeof at(body, 'error', 'status') === 'string',
    brokenOff: /data: \{"error":/,
  },
};

/** A server that takes each request whole and does to it what the model's name says. */
const open = new Set<Socket>();
const bad = createServer((socket) => {
  open.add(socket);
  socket.on('close', () => open.delete(socket)).on('error', () => {});
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    const length = /content-length: (\d+)/i.exec(text)?.[1];
    const bodyAt = text.indexOf('\r\n\r\n') + 4;
    if (length === undefined || bodyAt < 4 || text.length - bodyAt < Number(length)) return;
    const { model, stream } = JSON.parse(text.slice(bodyAt)) as { model: string; stream?: boolean };
    text = '';
    FAULTS[Number(/^fault-(\d+)/.exec(model)?.[1])]?.act(socket, stream === true);
  });
});
await new Promise<void>((resolve) => bad.listen(0, '127.0.0.1', resolve));

const good = await startRawUpstream((response, body) => {
  const { stream } = JSON.parse(body) as { stream?: boolean };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  const last = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage };
  response.end(
    stream
      ? `${chatChunk(WORDS)}${chatChunk('', 'stop')}data: ${JSON.stringify(last)}\n\ndata: [DONE]\n\n`
      : chatAnswer(WORDS),
  );
});

interface Cell {
  fault: Fault;
  door: string;
  stream: boolean;
  name: string;
}

/** One fault in so many in `npm test`, other ones at each door. */
const every = scale({ sample: 6, heavy: 1 });
const cells: Cell[] = FAULTS.flatMap((fault, index) =>
  Object.keys(DOORS).flatMap((door, place) =>
    [false, true]
      .filter((stream) => fault.only === undefined || (fault.only === 'stream') === stream)
      .filter(() => (index + place) % every === 0)
      .map((stream) => ({ fault, door, stream, name: `fault-${index}-${door}-${stream}` })),
  ),
);

const { port } = bad.address() as AddressInfo;
const timeouts = { connect: '1s', firstByte: '400ms', idle: '400ms', total: '3s' };
const up = (baseUrl: string) => ({ adapter: 'openai-compatible', baseUrl, accounts });
const gateway = await startGateway({
  providers: { bad: up(`http://127.0.0.1:${port}/v1`), good: up(good.baseUrl) },
  // A place of its own for each, or the breakers would pass the bad one over.
  models: Object.fromEntries(
    cells.flatMap(({ name }) => [
      [`both-${name}`, { targets: [`bad/${name}`, 'good/y'], timeouts }],
      [`alone-${name}`, { targets: [`bad/${name}-alone`], timeouts, retries: 0 }],
    ]),
  ),
});
after(async () => {
  await gateway.stop();
  await good.close();
  bad.close();
});

async function ask(model: string, { door: name, stream }: Cell) {
  const door = DOORS[name] ?? assert.fail(`there is no door ${name}`);
  const response = await gateway.post(door.path(model, stream), door.body(model, stream));
  const text = await response.text();
  return { door, text, status: response.status, headers: response.headers };
}

assert.ok(FAULTS.length >= 40, 'there are fewer ways to fail than the suite is for');

for (const cell of cells) {
  const { fault, name, stream, door } = cell;
  const where = `${fault.name}, ${door}, ${stream ? 'streamed' : 'whole'}`;

  test(`${where}: the next target answers, or the stream says that it broke off`, async () => {
    const answer = await ask(`both-${name}`, cell);
    assert.equal(answer.status, 200, answer.text);
    if (fault.breaksOff) {
      assert.match(answer.text, answer.door.brokenOff);
      assert.ok(!answer.text.includes(WORDS), 'another target went on with it');
      return;
    }
    const words = fault.isAnswer ? 'Partial words' : WORDS;
    assert.equal(answer.door.read(answer.text, stream), words, answer.text);
    const { headers } = answer;
    assert.equal(headers.get('x-fairlead-target'), fault.isAnswer ? `bad/${name}` : 'good/y');
    assert.equal(headers.get('x-fairlead-attempts'), fault.isAnswer ? '1' : '2');
  });

  test(`${where}: without another target the client is told what it is`, async () => {
    const answer = await ask(`alone-${name}`, cell);
    assert.equal(answer.status, fault.status, answer.text);
    if (answer.status === 200) return;
    assert.ok(answer.door.isError(JSON.parse(answer.text)), answer.text);
  });
}

test('every call is recorded once, with the usage of what answered it, and no connection is left open', async () => {
  const records = await gateway.calls(2 * cells.length);
  assert.equal(new Set(records.map(({ id }) => id)).size, records.length);
  const answered = records.filter(({ target, outcome }) => target === 'good/y' && outcome === 'ok');
  for (const { usage, id } of answered) assert.deepEqual([usage?.input, usage?.output], [3, 2], id);
  assert.ok(answered.length > cells.length / 2);
  while (open.size > 0) await sleep(50);
});
