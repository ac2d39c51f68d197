import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import { DIALECT_FAULTS } from './dialect-faults.ts';
import { DOORS } from './doors.ts';
import { CHAT_FAULTS, type Fault, UNREACHABLE } from './faults.ts';
import { startFailing } from './providers.ts';

const FAULTS: readonly Fault[] = [...CHAT_FAULTS, ...UNREACHABLE, ...DIALECT_FAULTS];
const WORDS = 'Whole words';
/** Longer than any call may take by its time-outs, so that what is still without an end then hangs. */
const HANGS_MS = 15_000;
const timeouts = { connect: '1s', firstByte: '400ms', idle: '400ms', total: '3s' };
const PRICE = { input: 2, output: 10 };

const failing = await startFailing((index) => FAULTS[index]);
const goodUsage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const good = await startRawUpstream((response, body) => {
  const { stream } = JSON.parse(body) as { stream?: boolean };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  const last = {
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [],
    usage: goodUsage,
  };
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
const every = scale({ sample: 8, heavy: 1 });
const cells: Cell[] = FAULTS.flatMap((fault, index) =>
  Object.keys(DOORS).flatMap((door, place) =>
    [false, true]
      .filter((stream) => fault.only === undefined || (fault.only === 'stream') === stream)
      .filter(() => fault.doors === undefined || fault.doors.includes(door))
      .filter((_, way) => (index + 2 * place + way) % every === 0)
      .map((stream) => ({ fault, door, stream, name: `fault-${index}-${door}-${stream}` })),
  ),
);

/** One for each cell where it is the provider that fails: what cannot be reached is passed over, whichever model is asked for. */
const providerOf = ({ fault: { provider = 'bad', act }, door, stream }: Cell): string =>
  act ? provider : `${provider}-${door}-${stream}`;
const ofCells = Object.fromEntries(
  cells.map((cell) => [providerOf(cell), failing.providers[cell.fault.provider ?? 'bad']]),
);
const gateway = await startGateway({
  providers: {
    ...ofCells,
    good: {
      adapter: 'openai-compatible',
      baseUrl: good.baseUrl,
      accounts: [{ name: 'main', apiKey: 'sk-good-0123456789' }],
    },
  },
  prices: Object.fromEntries([...Object.keys(ofCells), 'good'].map((name) => [`${name}/*`, PRICE])),
  // A place of its own for each, or the breakers would pass the bad one over.
  models: Object.fromEntries(
    cells.flatMap((cell) => [
      [
        `both-${cell.name}`,
        { targets: [`${providerOf(cell)}/${cell.name}`, 'good/y'], timeouts, retries: 1 },
      ],
      [`alone-${cell.name}`, { targets: [`${providerOf(cell)}/${cell.name}-alone`], timeouts, retries: 0 }],
    ]),
  ),
});
after(async () => {
  await gateway.stop();
  await good.close();
  await failing.close();
});

async function ask(model: string, { door: name, stream }: Cell) {
  const door = DOORS[name] ?? assert.fail(`there is no door ${name}`);
  const signal = AbortSignal.timeout(HANGS_MS);
  const response = await gateway.post(door.path(model, stream), door.body(model, stream), { signal });
  const text = await response.text();
  const id = response.headers.get('x-request-id') ?? assert.fail('a call without an id');
  return { door, id, text, status: response.status, headers: response.headers };
}

/** What the record of a call must say, by its id: known when it was answered, looked at when all are. */
const expected = new Map<string, (record: UsageRecord) => void>();

const costOf = (input: number, output: number): number => input * PRICE.input + output * PRICE.output;

/** Nothing was generated: nobody pays. */
function isFree(
  { usage, costMicroUsd }: Partial<Pick<UsageRecord, 'usage' | 'costMicroUsd'>>,
  where: string,
): void {
  assert.deepEqual([usage ?? undefined, costMicroUsd ?? undefined], [undefined, undefined], where);
}

/** What a provider said before it broke off is estimated and billed, once. */
function isOfBrokenOff(record: UsageRecord, where: string): void {
  const { usage, costMicroUsd, attempts } = record;
  assert.equal(attempts.length, 1, where);
  assert.ok(usage && usage.output > 0 && usage.output < 10, `${where}: ${JSON.stringify(usage)}`);
  assert.equal(costMicroUsd, costOf(usage.input, usage.output), where);
}

const timesOf = (text: string, word: string): number => text.split(word).length - 1;

test('there are at least forty ways to fail, of each dialect some', () => {
  assert.ok(FAULTS.length >= 40);
  assert.ok(cells.length >= scale({ sample: 40, heavy: 8 * 40 }));
});

for (const cell of cells) {
  const { fault, name, stream, door } = cell;
  const where = `${fault.name}, ${door}, ${stream ? 'streamed' : 'whole'}`;
  const bad = `${providerOf(cell)}/${name}`;

  test(`${where}: the next target answers, or the stream says that it broke off`, async () => {
    const answer = await ask(`both-${name}`, cell);
    const { headers, text } = answer;
    assert.equal(answer.status, 200, text);
    if (fault.breaksOff) {
      assert.match(text, answer.door.brokenOff);
      assert.ok(!text.includes(WORDS), 'another target went on with it');
      assert.equal(answer.door.said(text), 'Partial ', text);
      expected.set(answer.id, (record) => isOfBrokenOff(record, where));
      return;
    }
    assert.equal(answer.door.read(text, stream), fault.isAnswer ? 'Partial words' : WORDS, text);
    assert.equal(headers.get('x-fairlead-target'), fault.isAnswer ? bad : 'good/y');
    assert.equal(headers.get('x-fairlead-attempts'), fault.isAnswer ? '1' : '2');
    expected.set(answer.id, ({ outcome, usage, costMicroUsd, attempts }) => {
      assert.deepEqual([outcome, usage?.input, usage?.output], ['ok', 3, 2], where);
      assert.equal(costMicroUsd, costOf(3, 2), where);
      for (const attempt of attempts) isFree(attempt, where);
      assert.deepEqual(
        attempts.map(({ target }) => target),
        fault.isAnswer ? [bad] : [bad, 'good/y'],
        where,
      );
    });
  });

  test(`${where}: without another target the client is told what it is`, async () => {
    const answer = await ask(`alone-${name}`, cell);
    const status = fault.statusAt?.[door] ?? fault.status;
    assert.equal(answer.status, status, answer.text);
    if (status !== 200) {
      assert.equal(answer.door.kindOfError(JSON.parse(answer.text)), answer.door.kinds[status], answer.text);
      assert.match(answer.headers.get('retry-after') ?? 'never', fault.retryAfter ?? /^never$/);
      expected.set(answer.id, (record) => {
        isFree(record, where);
        assert.equal(record.attempts.length, 1, where);
      });
    } else if (fault.breaksOff) {
      assert.match(answer.text, answer.door.brokenOff);
      assert.equal(timesOf(answer.text, 'Partial '), timesOf(answer.door.said(answer.text), 'Partial '));
      expected.set(answer.id, (record) => isOfBrokenOff(record, where));
    } else {
      assert.equal(answer.door.read(answer.text, stream), 'Partial words', answer.text);
    }
  });
}

test('every call is recorded once, and billed for what it is to be billed for', async () => {
  const records = await gateway.calls(2 * cells.length);
  assert.equal(new Set(records.map(({ id }) => id)).size, records.length);
  const byId = new Map(records.map((record) => [record.id, record]));
  for (const [id, check] of expected) check(byId.get(id) ?? assert.fail(`no record of ${id}`));
});

test('no connection is left open', async () => {
  for (let waited = 0; waited < 5_000 && failing.open() > 0; waited += 50) await sleep(50);
  assert.equal(failing.open(), 0, 'connections to who failed are still open');
  await gateway.stop();
  for (let waited = 0; waited < 5_000 && (await good.connections()) > 0; waited += 50) await sleep(50);
  assert.equal(await good.connections(), 0, 'connections to who answered outlive the gateway');
});
