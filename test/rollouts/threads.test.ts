import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import type { JsonObject } from '../../src/conversation/json.ts';
import { hashOf, percentileOf, stickyKey } from '../../src/rollouts/assign.ts';
import { type DoorClient, type Told, type Turn, WAYS } from '../sdk/door-client.ts';
import { openDoors } from '../sdk/doors.ts';
import { TOOLS } from '../sdk/features.ts';
import { adminClient } from '../support/admin.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

/*
 * What a provider signs or encrypts of its reasoning only it takes back: the fakes have secrets of their own, as accounts have. Official
 * SDKs send it back as their users do, while their threads are moved.
 */

const FAKES = {
  anthropic: { start: startFakeAnthropic, model: 'claude-sonnet-4-5' },
  gemini: { start: startFakeGemini, model: 'gemini-3-flash-preview' },
  openai: { start: startFakeOpenAi, model: 'gpt-5' },
} as const;
type Kind = keyof typeof FAKES;

const OLD_KEY = 'key-of-the-old-account-00';
const NEW_KEY = 'key-of-the-new-account-00';

/** A thread as its client has it. */
interface Thread {
  door: DoorClient;
  way: (typeof WAYS)[number];
  turns: Turn[];
}

const tools = TOOLS.toReversed();
const results = (of: Told, output: string): Turn[] => [
  { answer: of },
  { results: of.ids.map(() => output), of },
];

async function ask({ door, way, turns }: Thread): Promise<Told> {
  return door.ask({ model: 'smart', turns, tools, thinks: true }, way);
}

/** How many calls a thread is, with the one that begins it. */
const TURNS = 4;

/** Goes on in the middle of a tool loop, to its end, and beyond. */
async function goOn(thread: Thread): Promise<void> {
  const { turns } = thread;
  const second = await ask(thread);
  assert.deepEqual(second.answer.calls, [['get_weather', { city: 'Oslo' }]]);
  turns.push(...results(second, 'cold'));
  const third = await ask(thread);
  assert.equal(third.answer.text, 'Tool said: cold');
  turns.push({ answer: third }, { user: 'think about it again' });
  const fourth = await ask(thread);
  assert.match(fourth.answer.text, /again|^Echo/);
}

/** Where a key stands that names neither users nor sessions. */
const PLACE = percentileOf(hashOf('upgrade', stickyKey({ tenant: 'acme', key: 'app' })));

async function startThreads(context: TestContext, kinds: { old: Kind; new: Kind }) {
  const [of, ofNew] = [FAKES[kinds.old], FAKES[kinds.new]];
  const [old, candidate] = [await of.start({ apiKey: OLD_KEY }), await ofNew.start({ apiKey: NEW_KEY })];
  const gateway = await startGateway({
    providers: {
      old: { adapter: kinds.old, baseUrl: old.url, accounts: [{ name: 'main', apiKey: OLD_KEY }] },
      new: { adapter: kinds.new, baseUrl: candidate.url, accounts: [{ name: 'main', apiKey: NEW_KEY }] },
    },
  });
  context.after(async () => {
    await gateway.stop();
    await Promise.all([old.close(), candidate.close()]);
  });
  const admin = adminClient(gateway.url);
  const weigh = (weight: number) =>
    admin.must('PUT', '/config', {
      models: { smart: { targets: [`old/${of.model}`] } },
      rollouts: {
        upgrade: {
          ...{ model: 'smart', stable: `old/${of.model}`, candidate: `new/${ofNew.model}` },
          steps: [{ weight, hold: '10m' }],
        },
      },
    });
  /** Gives how many calls that took. */
  const sideBecomes = async (side: string | null): Promise<number> => {
    const body = { model: 'smart', messages: [{ role: 'user', content: 'say hi' }] };
    for (let calls = 1; calls <= 200; calls++) {
      const answer = await gateway.post('/v1/chat/completions', body);
      assert.equal(answer.status, 200, await answer.text());
      if (answer.headers.get('x-fairlead-rollout') === side) return calls;
      await sleep(25);
    }
    return assert.fail(`the key is not on the side ${side}`);
  };
  const begin = async (): Promise<Thread[]> => {
    const threads: Thread[] = [];
    for (const door of openDoors(gateway.url)) {
      for (const way of WAYS) {
        const turns = [{ user: 'think about maths\ncall clock\nthen call get_weather {"city":"Oslo"}' }];
        const thread: Thread = { door, way, turns };
        thread.turns.push(...results(await ask(thread), 'noon'));
        threads.push(thread);
      }
    }
    return threads;
  };
  return { gateway, admin, weigh, sideBecomes, begin, old, candidate };
}

/** All of them; says which failed, and why. */
async function goOnAll(threads: readonly Thread[]): Promise<void> {
  const failed: string[] = [];
  for (const thread of threads) {
    await goOn(thread).catch((error: Error) =>
      failed.push(`${thread.door.sdk} (${thread.way}): ${error.message}`),
    );
  }
  assert.deepEqual(failed, []);
}

const PAIRS: { old: Kind; new: Kind }[] = (Object.keys(FAKES) as Kind[]).flatMap((old) =>
  (Object.keys(FAKES) as Kind[]).map((candidate) => ({ old, new: candidate })),
);

for (const pair of PAIRS) {
  test(`threads that began at ${pair.old} go on when their user moves to another account of ${pair.new}`, async (context) => {
    const { admin, weigh, sideBecomes, begin, gateway } = await startThreads(context, pair);
    await weigh(Math.floor(PLACE));
    await admin.must('POST', '/rollouts/upgrade/start');
    const before = await sideBecomes('upgrade=stable');
    const threads = await begin();
    await weigh(Math.ceil(PLACE) + 1);
    const after = await sideBecomes('upgrade=candidate');
    await goOnAll(threads);
    const calls = await gateway.calls(before + after + TURNS * threads.length);
    const notes = calls.flatMap(({ rollout }) => rollout ?? []);
    assert.deepEqual(
      notes.filter(({ flags }) => flags.includes('failed')),
      [],
      'a thread that could not move counts against nobody',
    );
  });

  test(`threads that began at another account of ${pair.new} go on at ${pair.old} when it is rolled back`, async (context) => {
    const { admin, weigh, sideBecomes, begin } = await startThreads(context, pair);
    await weigh(100);
    await admin.must('POST', '/rollouts/upgrade/start');
    await sideBecomes('upgrade=candidate');
    const threads = await begin();
    await admin.must('POST', '/rollouts/upgrade/rollback');
    await sideBecomes(null);
    await goOnAll(threads);
  });
}

test('a thread that its provider keeps goes on there, whichever side its user has moved to', async (context) => {
  const { gateway, admin, weigh, sideBecomes } = await startThreads(context, {
    old: 'openai',
    new: 'openai',
  });
  const say = async (input: string, previous?: string) => {
    const body = { model: 'smart', input, ...(previous && { previous_response_id: previous }) };
    const answer = await gateway.post('/v1/responses', body);
    const said = (await answer.json()) as { id: string };
    assert.equal(answer.status, 200, JSON.stringify(said));
    return { id: said.id, target: answer.headers.get('x-fairlead-target') };
  };
  await weigh(Math.floor(PLACE));
  await admin.must('POST', '/rollouts/upgrade/start');
  await sideBecomes('upgrade=stable');
  const atOld = await say('one');
  await weigh(Math.ceil(PLACE) + 1);
  await sideBecomes('upgrade=candidate');
  const stayed = await say('two', atOld.id);
  assert.equal(stayed.target, 'old/gpt-5');
  const atNew = await say('one');
  const goneOn = await say('two', atNew.id);
  assert.deepEqual([atNew.target, goneOn.target], ['new/gpt-5', 'new/gpt-5']);
  await admin.must('POST', '/rollouts/upgrade/rollback');
  await sideBecomes(null);
  await say('three', goneOn.id);
  await say('three', stayed.id);
});

test('a thread that one account keeps for both sides does not flip', async (context) => {
  const openai = await startFakeOpenAi();
  const accounts = [{ name: 'main', apiKey: openai.apiKey }];
  const gateway = await startGateway({ providers: { openai: { baseUrl: openai.url, accounts } } });
  context.after(async () => {
    await gateway.stop();
    await openai.close();
  });
  const admin = adminClient(gateway.url);
  const config = (weight: number) => ({
    models: { smart: { targets: ['openai/gpt-4.1'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'openai/gpt-4.1', candidate: 'openai/gpt-5' },
        steps: [{ weight, hold: '10m' }],
      },
    },
  });
  const say = async (input: string, previous?: string) => {
    const body = { model: 'smart', input, ...(previous && { previous_response_id: previous }) };
    const answer = await gateway.post('/v1/responses', body);
    const said = (await answer.json()) as { id: string };
    assert.equal(answer.status, 200, JSON.stringify(said));
    const { headers } = answer;
    return { id: said.id, sides: [headers.get('x-fairlead-target'), headers.get('x-fairlead-rollout')] };
  };
  const becomes = async (target: string) => {
    for (let waited = 0; waited < 200; waited++) {
      const one = await say('one');
      if (one.sides[0] === target) return one;
      await sleep(25);
    }
    return assert.fail(`nobody is sent to ${target}`);
  };
  await admin.must('PUT', '/config', config(Math.floor(PLACE)));
  await admin.must('POST', '/rollouts/upgrade/start');
  const atOld = await becomes('openai/gpt-4.1');
  await admin.must('PUT', '/config', config(Math.ceil(PLACE) + 1));
  const atNew = await becomes('openai/gpt-5');
  assert.deepEqual((await say('two', atOld.id)).sides, ['openai/gpt-4.1', 'upgrade=stable']);
  await admin.must('PUT', '/config', config(Math.floor(PLACE)));
  await becomes('openai/gpt-4.1');
  assert.deepEqual((await say('two', atNew.id)).sides, ['openai/gpt-5', 'upgrade=candidate']);
  await admin.must('POST', '/rollouts/upgrade/rollback');
  assert.deepEqual((await say('three', atNew.id)).sides, ['openai/gpt-4.1', null]);
});

test('a thread stays on its side, with all that it thought, and what is dropped behind a roll back is named', async (context) => {
  const { gateway, admin, weigh, sideBecomes, old, candidate } = await startThreads(context, {
    old: 'anthropic',
    new: 'anthropic',
  });
  const say = async (messages: JsonObject[]) => {
    const body = { model: 'smart', max_tokens: 4000, messages };
    const thinking = { type: 'enabled', budget_tokens: 2000 };
    const answer = await gateway.post('/v1/messages', { ...body, thinking });
    assert.equal(answer.status, 200);
    return { headers: answer.headers, ...((await answer.json()) as { content: JsonObject[] }) };
  };
  const [question, next] = [
    { role: 'user', content: 'think about maths' },
    { role: 'user', content: 'say more' },
  ];
  await weigh(Math.floor(PLACE));
  await admin.must('POST', '/rollouts/upgrade/start');
  await sideBecomes('upgrade=stable');
  const atOld = await say([question]);
  await weigh(Math.ceil(PLACE) + 1);
  await sideBecomes('upgrade=candidate');
  const atNew = await say([question]);
  const stayed = await say([question, { role: 'assistant', content: atOld.content }, next]);
  assert.equal(stayed.headers.get('x-fairlead-rollout'), 'upgrade=stable');
  assert.equal(stayed.headers.get('x-fairlead-dropped'), null);
  assert.match(old.requests.at(-1)?.rawBody.toString() ?? '', /"type":"thinking","thinking":"[^"]+maths/);

  const asked = candidate.requests.length;
  const goneOn = await say([question, { role: 'assistant', content: atNew.content }, next]);
  assert.equal(goneOn.headers.get('x-fairlead-rollout'), 'upgrade=candidate');
  assert.equal(candidate.requests.length, asked + 1);
  await admin.must('POST', '/rollouts/upgrade/rollback');
  const back = await say([question, { role: 'assistant', content: atNew.content }, next]);
  assert.equal(back.headers.get('x-fairlead-dropped'), 'messages[1].content[0]');
  assert.doesNotMatch(old.requests.at(-1)?.rawBody.toString() ?? '', /"type":"thinking","thinking"/);
});

test('a thread that another account of the same target keeps stays there, and is no call of the candidate', async (context) => {
  const openai = await startFakeOpenAi();
  const accounts = ['eu', 'us'].map((name) => ({ name, apiKey: openai.apiKey }));
  const gateway = await startGateway({
    providers: { openai: { baseUrl: openai.url, accounts } },
    models: { smart: { targets: [{ target: 'openai/gpt-4.1', account: 'eu' }] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'openai/gpt-4.1', steps: [{ weight: 100, hold: '10m' }] },
        candidate: { target: 'openai/gpt-4.1', account: 'us' },
      },
    },
  });
  context.after(async () => {
    await gateway.stop();
    await openai.close();
  });
  const say = async (input: string, previous?: string) => {
    const body = { model: 'smart', input, ...(previous && { previous_response_id: previous }) };
    const answer = await gateway.post('/v1/responses', body);
    assert.equal(answer.status, 200, await answer.clone().text());
    const { id } = (await answer.json()) as { id: string };
    return { id, side: answer.headers.get('x-fairlead-rollout') };
  };
  const begun = await say('one');
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const other = await say('one');
  const goneOn = await say('two', begun.id);
  assert.deepEqual([begun.side, other.side, goneOn.side], [null, 'upgrade=candidate', null]);
  // Nothing is chosen for what only one side keeps.
  assert.equal((await say('two', other.id)).side, null);
  const accountsAsked = (await gateway.calls(4)).map(({ attempts }) =>
    attempts.map(({ account }) => account),
  );
  assert.deepEqual(accountsAsked, [['us'], ['eu'], ['us'], ['eu']]);
});

test('a thread that the gateway keeps stays on its side while the weight grows, and is compared with nobody', async (context) => {
  const setting = await startThreads(context, { old: 'anthropic', new: 'anthropic' });
  const { admin, weigh, sideBecomes, gateway } = setting;
  await weigh(Math.floor(PLACE));
  await admin.must('POST', '/rollouts/upgrade/start');
  const before = await sideBecomes('upgrade=stable');
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const say = async (more: object) => {
    const made = client.responses.create({ model: 'smart', input: 'say hi', ...more });
    const { data, response } = await made.withResponse();
    return { id: data.id, side: response.headers.get('x-fairlead-rollout') };
  };
  const first = await say({});
  assert.equal(first.side, 'upgrade=stable');
  await weigh(Math.ceil(PLACE) + 1);
  const after = await sideBecomes('upgrade=candidate');
  const second = await say({ previous_response_id: first.id });
  assert.equal(second.side, 'upgrade=stable');
  assert.equal((await say({ previous_response_id: second.id })).side, 'upgrade=stable');
  assert.equal((await say({})).side, 'upgrade=candidate');
  const notes = (await gateway.calls(before + after + 4)).flatMap(({ rollout }) => rollout ?? []);
  assert.equal(notes.filter(({ flags }) => flags.includes('by_rule')).length, 2);
});
