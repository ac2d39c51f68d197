import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { modelsCommand } from '../../src/cli/models.ts';
import { DAY_MS, dayOf } from '../../src/config/days.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

const folder = await mkdtemp(join(tmpdir(), 'fairlead-lifecycle-'));
after(() => rm(folder, { recursive: true, force: true }));

const SOON = dayOf(Date.now() + 20 * DAY_MS);
const LATER = dayOf(Date.now() + 200 * DAY_MS);

const leaving = { target: 'echo/old', retires: SOON, successor: 'echo/new' };

const WEBHOOK_SECRET = 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz';

interface Event {
  kind: string;
  message: string;
  severity: string;
  details: Record<string, unknown>;
}

async function eventsOf({ url }: TestGateway, ...kinds: string[]): Promise<Event[]> {
  const { body } = await adminClient(url).must('GET', '/events?limit=200');
  return (body['data'] as unknown as Event[]).filter(({ kind }) => kinds.includes(kind));
}

async function waitFor<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  for (let waited = 0; waited < 400; waited++) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(25);
  }
  throw new Error(`never came: ${what}`);
}

const ask = (model: string) => ({ model, messages: [{ role: 'user', content: 'Hi' }] });

test('what a provider takes away is told of once, over restarts and instances, and to webhooks', async () => {
  const receiver = await startWebhookReceiver(WEBHOOK_SECRET);
  after(receiver.close);
  const store = `sqlite:${join(folder, 'told.db')}`;
  const config = {
    store,
    models: {
      smart: { targets: [leaving, 'echo/other'] },
      next: { targets: [{ target: 'echo/x', retires: LATER }] },
    },
    webhooks: { ops: { url: receiver.url, secret: WEBHOOK_SECRET, events: ['model_retiring'] } },
  };
  for (let start = 0; start < 3; start++) {
    const gateways = await Promise.all([startGateway(config), startGateway(config)]);
    try {
      const [first] = gateways as [TestGateway, TestGateway];
      const [event, ...others] = await waitFor(async () => {
        const events = await eventsOf(first, 'model_retiring');
        return events.length > 0 ? events : undefined;
      }, 'the event');
      assert.deepEqual(others, []);
      assert.equal(event?.severity, 'warning');
      assert.deepEqual(event.details, {
        ...{ target: 'echo/old', retiresOn: SOON, daysLeft: 20, successor: 'echo/new' },
        ...{ models: ['smart'], source: 'configuration' },
      });
    } finally {
      for (const gateway of gateways) await gateway.stop();
    }
  }
  assert.deepEqual(
    receiver.received.map(({ type }) => type),
    ['model_retiring'],
  );
});

test('answers say when a name ends: where all its targets do, at the last of them', async () => {
  const gateway = await startGateway({
    models: {
      both: { targets: [leaving, { target: 'echo/older', retires: '2098-12-31' }] },
      one: { targets: [leaving, 'echo/stays'] },
      never: { targets: [{ target: 'echo/old', retires: 'never' }] },
      own: { targets: [leaving], deprecated: '2099-01-31', successor: 'one' },
      moving: { targets: [leaving] },
    },
    rollouts: { move: { model: 'moving', stable: 'echo/old', candidate: 'echo/new' } },
  });
  after(gateway.stop);
  const told = async (model: string) => {
    const { headers } = await gateway.post('/v1/chat/completions', ask(model));
    return [headers.get('sunset'), headers.get('deprecation'), headers.get('link')];
  };
  assert.deepEqual(await told('both'), ['Wed, 31 Dec 2098 00:00:00 GMT', null, null]);
  for (const model of ['one', 'never', 'moving'])
    assert.deepEqual(await told(model), [null, null, null], model);
  assert.equal((await told('own'))[0], 'Sat, 31 Jan 2099 00:00:00 GMT');
});

test('who names a model at its provider is told what its vendor says of it', async () => {
  const gateway = await startGateway({
    providers: {
      oai: {
        adapter: 'openai',
        baseUrl: 'http://127.0.0.1:9/v1',
        accounts: [{ name: 'a', apiKey: 'sk-0123456789abcdef' }],
      },
    },
  });
  after(gateway.stop);
  const { headers } = await gateway.post('/v1/chat/completions', ask('oai/gpt-4.1-mini'));
  assert.equal(headers.get('deprecation'), `@${Date.parse('2026-10-14') / 1000}`);
  assert.equal(headers.get('sunset'), 'Thu, 14 Jan 2027 00:00:00 GMT');
  assert.equal(headers.get('link'), '</v1/models/oai%2Fgpt-6-luna>; rel="successor-version"');
});

test('the admin API and the command line show what is on its way out, and who uses it', async () => {
  const gateway = await startGateway({
    models: { smart: { targets: [leaving] }, old: { targets: ['echo/x'], deprecated: LATER } },
  });
  after(gateway.stop);
  for (let call = 0; call < 3; call++)
    assert.equal((await gateway.post('/v1/chat/completions', ask('smart'))).status, 200);
  await gateway.calls(3);
  const admin = adminClient(gateway.url);
  const { body } = await admin.must('GET', '/retirements');
  const today = dayOf(Date.now());
  const [target, model] = body['data'] as { usedBy: unknown }[];
  assert.deepEqual(target, {
    ...{ kind: 'target', name: 'echo/old', models: ['smart'], retiresOn: SOON, announcedOn: null },
    ...{ successor: 'echo/new', source: 'configuration', isGone: false },
    usedBy: [{ tenant: 'acme', key: 'app', calls: 3, lastUsedOn: today }],
  });
  assert.deepEqual(model?.usedBy, []);
  const smart = await admin.must('GET', '/models/smart');
  assert.deepEqual(smart.body['retiring'], [
    {
      target: 'echo/old',
      retiresOn: SOON,
      announcedOn: null,
      successor: 'echo/new',
      source: 'configuration',
      isGone: false,
    },
  ]);
  let stdout = '';
  const code = await modelsCommand.run(['retiring', '--url', gateway.url, '--admin-key', ADMIN_KEY], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => assert.fail(String(text)) },
    env: {},
    cwd: folder,
  });
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`${SOON} +echo/old +smart +echo/new +acme/app +${today} +3\n`));
  assert.match(stdout, new RegExp(`${LATER} +old +old +- +- +- +0\n`));
});

interface Standing {
  name: string;
  phase: string;
  model: string;
}

async function rolloutsOf({ url }: TestGateway): Promise<Standing[]> {
  const { body } = await adminClient(url).must('GET', '/rollouts');
  return body['data'] as unknown as Standing[];
}

function drafting(name: string, lifecycle: object, more: object = {}) {
  return {
    store: `sqlite:${join(folder, name)}`,
    models: {
      smart: { targets: [leaving] },
      steady: { targets: ['echo/steady'] },
      late: { targets: [{ ...leaving, target: 'echo/late', retires: LATER }] },
    },
    lifecycle: { draftRollouts: true, ...lifecycle },
    ...more,
  };
}

test('a rollout to the successor is drafted once, as a revision with an event, and is not started', async () => {
  const config = drafting('draft.db', { rollout: { steps: [{ weight: 50, hold: '1h' }] } });
  const gateways = await Promise.all([startGateway(config), startGateway(config)]);
  const [first] = gateways as [TestGateway, TestGateway];
  const admin = adminClient(first.url);
  const [drafted] = await waitFor(async () => {
    const events = await eventsOf(first, 'rollout_drafted');
    return events.length > 0 ? events : undefined;
  }, 'the draft');
  assert.deepEqual(drafted?.details, {
    ...{
      rollout: 'smart-to-new',
      model: 'smart',
      stable: 'echo/old',
      candidate: 'echo/new',
      retiresOn: SOON,
    },
  });
  // The other one may have made it.
  const rollouts = await waitFor(async () => {
    const found = await rolloutsOf(first);
    return found.length > 0 ? found : undefined;
  }, 'the draft, at an instance');
  assert.deepEqual(
    rollouts.map(({ name, phase }) => [name, phase]),
    [['smart-to-new', 'draft']],
  );
  const { body } = await admin.must('GET', '/config?owner=api');
  assert.deepEqual(body['rollouts'], {
    'smart-to-new': {
      model: 'smart',
      stable: 'echo/old',
      candidate: 'echo/new',
      steps: [{ weight: 50, hold: '1h' }],
    },
  });
  assert.equal((await eventsOf(first, 'rollout_drafted')).length, 1);
  // Somebody does not want it: it is not made again.
  await admin.must('PUT', '/config', { ...body, rollouts: {} });
  for (const gateway of gateways) await gateway.stop();
  const again = await startGateway(config);
  after(again.stop);
  await sleep(500);
  assert.deepEqual(await rolloutsOf(again), []);
  assert.equal((await eventsOf(again, 'rollout_drafted')).length, 1);
});

test('no second rollout is drafted for a model that one is about', async () => {
  const own = { model: 'smart', stable: 'echo/old', candidate: 'echo/mine' };
  const gateway = await startGateway(drafting('own.db', {}, { rollouts: { mine: own } }));
  after(gateway.stop);
  await waitFor(async () => (await eventsOf(gateway, 'model_retiring'))[0], 'the look');
  await sleep(500);
  assert.deepEqual(
    (await rolloutsOf(gateway)).map(({ name }) => name),
    ['mine'],
  );
});

test('a drafted rollout is started by itself where that is configured', async () => {
  const gateway = await startGateway(drafting('start.db', { startRollouts: true }));
  after(gateway.stop);
  const started = await waitFor(
    async () => (await rolloutsOf(gateway)).find(({ phase }) => phase === 'canary'),
    'the start',
  );
  assert.equal(started.name, 'smart-to-new');
  const [event] = await eventsOf(gateway, 'rollout_canary');
  assert.equal(event?.details['by'], 'lifecycle');
});

test('a rollout that has ended makes room for the draft, where it is not for the config file to say', async () => {
  const store = `sqlite:${join(folder, 'ended.db')}`;
  const rollouts = { filed: { model: 'filed', stable: leaving.target, candidate: 'echo/mine' } };
  const config = { store, models: { filed: { targets: [leaving] } }, rollouts };
  const before = await startGateway(config);
  try {
    const admin = adminClient(before.url);
    for (const model of ['undone', 'tried', 'open'])
      await admin.must('POST', '/models', { name: model, targets: [leaving] });
    await admin.must('POST', '/models', { name: 'done', targets: ['echo/older'] });
    const made = {
      done: { stable: 'echo/older', candidate: 'echo/old' },
      undone: { stable: 'echo/old', candidate: 'echo/mine' },
      tried: { stable: 'echo/old', candidate: 'echo/new' },
      open: { stable: 'echo/old', candidate: 'echo/mine' },
    };
    for (const [model, sides] of Object.entries(made))
      await admin.must('PUT', `/rollouts/${model}`, { model, ...sides });
    for (const name of ['filed', ...Object.keys(made)]) await admin.must('POST', `/rollouts/${name}/start`);
    await admin.must('POST', '/rollouts/done/promote');
    for (const name of ['filed', 'undone', 'tried']) await admin.must('POST', `/rollouts/${name}/rollback`);
    await waitFor(async () => {
      const { body } = await admin.must('GET', '/models/done');
      return JSON.stringify(body['targets']).includes('echo/older') ? undefined : true;
    }, 'the promotion, in the configuration');
    await admin.must('PATCH', '/models/done', { targets: [leaving] });
  } finally {
    await before.stop();
  }
  const gateway = await startGateway({ ...config, lifecycle: { draftRollouts: true } });
  after(gateway.stop);
  const [blocked] = await waitFor(async () => {
    const events = await eventsOf(gateway, 'rollout_not_drafted');
    return events.length > 0 ? events : undefined;
  }, 'the event');
  assert.deepEqual(blocked?.details, { rollout: 'filed-to-new', model: 'filed', ended: 'filed' });
  const standing = await waitFor(async () => {
    const found = await rolloutsOf(gateway);
    return found.filter(({ phase }) => phase === 'draft').length === 2 ? found : undefined;
  }, 'the drafts');
  assert.deepEqual(standing.map(({ name, phase }) => `${name} ${phase}`).sort(), [
    'done-to-new draft',
    'filed rolled_back',
    'open canary',
    'tried rolled_back',
    'undone-to-new draft',
  ]);
  const drafted = await eventsOf(gateway, 'rollout_drafted');
  assert.deepEqual(drafted.map(({ details }) => details['inPlaceOf']).sort(), ['done', 'undone']);
});
