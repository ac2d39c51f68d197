import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AccessRequests } from '../../src/tenants/access-requests.ts';
import { onEachDatabase } from '../support/databases.ts';

const ask = { tenant: 'acme', life: 0, key: 'app', model: 'gold', reason: 'a trial' };

onEachDatabase((database) => {
  test('what is asked is there for its tenant only, newest first, a page at a time', async (context) => {
    let now = 1_000;
    const requests = new AccessRequests(await database.open(context), () => now);
    const { request: first, isNew } = await requests.ask(ask);
    assert.equal(isNew, true);
    const { life: _, ...asked } = ask;
    assert.deepEqual(first, { ...asked, id: first.id, state: 'pending', createdAt: 1_000 });
    now = 2_000;
    const { request: second } = await requests.ask({ ...ask, model: 'silver' });
    // Ids are in the order of the milliseconds in which they were made.
    await sleep(2);
    const { request: other } = await requests.ask({ ...ask, tenant: 'other' });

    assert.deepEqual(await requests.find(first.id), first);
    assert.deepEqual(await requests.find(first.id, ask), first);
    assert.equal(await requests.find(first.id, { ...ask, tenant: 'other' }), undefined);
    assert.equal(await requests.find('areq_\0'), undefined);
    const ids = async (filters: object) =>
      (await requests.list({ limit: 10, ...filters })).map(({ id }) => id);
    assert.deepEqual(await ids({}), [other.id, second.id, first.id]);
    assert.deepEqual(await ids({ tenant: 'acme' }), [second.id, first.id]);
    assert.deepEqual(await ids({ tenant: 'acme', limit: 1 }), [second.id, first.id]);
    assert.deepEqual(await ids({ before: second.id }), [first.id]);
    assert.deepEqual(await ids({ model: 'gold', state: 'pending' }), [other.id, first.id]);
    assert.deepEqual(await ids({ state: 'denied' }), []);
  });

  test('a request that is pending is asked once, however many ask at once, and anew when it was decided', async (context) => {
    const requests = new AccessRequests(await database.open(context), () => 0);
    const answers = await Promise.all(Array.from({ length: 10 }, () => requests.ask(ask)));
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
    const ids = new Set(answers.map(({ request }) => request.id));
    assert.equal(ids.size, 1);
    const [id = ''] = ids;
    await requests.decide(id, { state: 'denied', by: 'ops', note: 'not now' });
    const again = await requests.ask(ask);
    assert.equal(again.isNew, true);
    assert.notEqual(again.request.id, id);
  });

  test('of those who decide at once one does, and what is undone with its transaction is pending', async (context) => {
    const store = await database.open(context);
    const requests = new AccessRequests(store, () => 5);
    const { request } = await requests.ask(ask);
    const approval = { state: 'approved', by: 'ops', note: undefined, until: 9 } as const;
    await assert.rejects(
      store.db.transaction().execute(async (db) => {
        await requests.decide(request.id, approval, db);
        throw new Error('the revision is not written');
      }),
      /the revision is not written/,
    );
    assert.equal((await requests.find(request.id))?.state, 'pending');
    const results = await Promise.allSettled([
      requests.decide(request.id, approval),
      requests.decide(request.id, approval),
    ]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const { decision, state } = (await requests.find(request.id)) ?? {};
    assert.deepEqual(
      { decision, state },
      { state: 'approved', decision: { at: 5, by: 'ops', note: null, until: 9 } },
    );
  });

  test('a tenant has a bounded number pending, and does not take another’s place', async (context) => {
    const requests = new AccessRequests(await database.open(context), () => 0);
    for (let index = 0; index < 100; index += 1) await requests.ask({ ...ask, model: `m${index}` });
    await assert.rejects(requests.ask({ ...ask, model: 'one-more' }), {
      code: 'too_many_pending',
      status: 409,
    });
    assert.equal((await requests.ask({ ...ask, model: 'm0' })).isNew, false);
    assert.equal((await requests.ask({ ...ask, tenant: 'other' })).isNew, true);
  });

  test('what a tenant asked that was being taken away is not granted to the next of its name, and not in its way', async (context) => {
    const store = await database.open(context);
    const requests = new AccessRequests(store, () => 0);
    await store.db.insertInto('tenant_ends').values({ tenant: 'acme', revision: 7, ended_at: 10 }).execute();
    const { request: late } = await requests.ask(ask);
    const { request, isNew } = await requests.ask({ ...ask, life: 7 });
    assert.equal(isNew, true);
    assert.deepEqual(await requests.ask({ ...ask, life: 7 }), { request, isNew: false });
    assert.equal(await requests.find(late.id, { ...ask, life: 7 }), undefined);
    const approval = { state: 'approved', by: 'ops', note: undefined } as const;
    await assert.rejects(requests.decide(late.id, approval), { code: 'asker_gone', status: 409 });
    await requests.decide(late.id, { ...approval, state: 'denied' });
    await requests.decide(request.id, approval);
  });
});
