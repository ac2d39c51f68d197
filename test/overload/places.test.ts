import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundsOf, Tenant, type TestCall, VirtualPlaces } from './virtual-places.ts';

/** Ends what runs, again and again, and gives whose calls were let in. */
function serve(venue: VirtualPlaces, running: TestCall[], count: number): string[] {
  const served: string[] = [];
  for (let number = 0; number < count; number++) {
    const ended = running.shift();
    if (!ended) break;
    venue.nowMs += 10;
    venue.end(ended);
    const next = venue.taken.at(-1);
    if (!next?.place) break;
    running.push(next);
    served.push(next.tenant.name);
  }
  return served;
}

function comeTimes(venue: VirtualPlaces, tenant: Tenant, times: number, model?: string): TestCall[] {
  return Array.from({ length: times }, () => venue.come(tenant, model));
}

test('with one place the tenants that wait take turns, however many calls one of them has sent before', () => {
  const venue = new VirtualPlaces(boundsOf(1, 100));
  const [burst, small, other] = [new Tenant('burst'), new Tenant('small'), new Tenant('other')];
  const running = comeTimes(venue, burst, 1);
  comeTimes(venue, burst, 20);
  comeTimes(venue, small, 3);
  comeTimes(venue, other, 3);
  const served = serve(venue, running, 9);
  assert.deepEqual(served.slice(0, 6).toSorted(), ['burst', 'burst', 'other', 'other', 'small', 'small']);
  assert.deepEqual(served.slice(0, 3).toSorted(), ['burst', 'other', 'small']);
});

test('nobody makes way for a tenant that would have as much of a full queue then as the other now', () => {
  const venue = new VirtualPlaces(boundsOf(1, 3));
  const [one, two] = [new Tenant('one'), new Tenant('two')];
  venue.come(new Tenant('first'));
  const waiting = [...comeTimes(venue, one, 2), venue.come(two)];
  assert.equal(venue.come(two).error?.code, 'gateway_overloaded');
  assert.equal(venue.come(one).error?.code, 'gateway_overloaded');
  assert.ok(waiting.every(({ line }) => line !== undefined));
});

test('who has all places with long calls gets none until the others have as many', () => {
  const venue = new VirtualPlaces(boundsOf(6, 100));
  const [long, short] = [new Tenant('long'), new Tenant('short')];
  const running = comeTimes(venue, long, 6);
  comeTimes(venue, long, 10);
  comeTimes(venue, short, 10);
  assert.deepEqual(serve(venue, running, 3), ['short', 'short', 'short']);
  assert.deepEqual([long.holder.running, short.holder.running], [3, 3]);
});

test('a higher priority goes first, and of ten places one goes to who waits in a lower one', () => {
  const venue = new VirtualPlaces(boundsOf(1, 200));
  const [high, low] = [new Tenant('high', 'high'), new Tenant('low', 'low')];
  const running = comeTimes(venue, high, 1);
  comeTimes(venue, low, 10);
  comeTimes(venue, high, 60);
  const served = serve(venue, running, 40);
  assert.deepEqual(served.slice(0, 10), [...Array(9).fill('high'), 'low']);
  assert.equal(served.filter((name) => name === 'low').length, 4);
});

test('three priorities that all wait: each has its turn', () => {
  const venue = new VirtualPlaces(boundsOf(1, 400));
  const tenants = [new Tenant('high', 'high'), new Tenant('normal'), new Tenant('low', 'low')];
  const running = comeTimes(venue, tenants[0] as Tenant, 1);
  for (const tenant of tenants) comeTimes(venue, tenant, 100);
  const served = serve(venue, running, 100);
  const count = (name: string) => served.filter((one) => one === name).length;
  assert.ok(count('high') >= 75, `high has ${count('high')}`);
  assert.ok(count('normal') >= 9 && count('low') >= 9, `${count('normal')} and ${count('low')}`);
});

test('a low priority is served also where what goes before it is of other models', () => {
  const venue = new VirtualPlaces(boundsOf(1, 200), new Map([['m', boundsOf(5, 100)]]));
  const [high, low] = [new Tenant('high', 'high'), new Tenant('low', 'low')];
  const running = comeTimes(venue, high, 1);
  comeTimes(venue, high, 60);
  comeTimes(venue, low, 5, 'm');
  assert.equal(serve(venue, running, 30).filter((name) => name === 'low').length, 3);
});

test('a model that is full holds nobody else up', () => {
  const venue = new VirtualPlaces(boundsOf(10, 10), new Map([['m', boundsOf(1, 5)]]));
  const tenant = new Tenant('t');
  const first = venue.come(tenant, 'm');
  const second = venue.come(tenant, 'm');
  assert.ok(first.place && !second.place && second.waited);
  assert.ok(venue.come(tenant, 'n').place);
  assert.ok(venue.come(tenant).place);
  venue.end(first);
  assert.ok(second.place);
});

test('a call takes a place in all and of its model at once: who waits for one does not hold the other', () => {
  const venue = new VirtualPlaces(boundsOf(2, 10), new Map([['m', boundsOf(1, 5)]]));
  const tenant = new Tenant('t');
  const [running, waiting] = [venue.come(tenant, 'm'), venue.come(tenant, 'm')];
  const other = venue.come(tenant, 'n');
  assert.ok(running.place && other.place);
  assert.equal(venue.places.running, 2, 'who waits for its model has no place in all');
  const late = venue.come(tenant, 'n');
  venue.end(other);
  assert.ok(late.place, 'the place in all is for what can run');
  assert.equal(waiting.place, undefined);
});

test('a higher priority makes the last of a lower one leave a full queue, but for what is that one’s own', () => {
  const venue = new VirtualPlaces(boundsOf(1, 10));
  const [high, low] = [new Tenant('high', 'high'), new Tenant('low', 'low')];
  venue.come(high);
  const lows = comeTimes(venue, low, 10);
  const highs = comeTimes(venue, high, 12);
  assert.deepEqual(
    lows.map(({ error }) => error?.code),
    [undefined, ...Array(9).fill('gateway_overloaded')],
  );
  assert.equal(highs.filter(({ error }) => error).length, 3);
  assert.match(lows[9]?.error?.message ?? '', /others go before this one/);
});

test('a low priority that has none of its own places in a full queue of high ones takes one', () => {
  const venue = new VirtualPlaces(boundsOf(1, 10));
  const [high, low] = [new Tenant('high', 'high'), new Tenant('low', 'low')];
  venue.come(high);
  const highs = comeTimes(venue, high, 10);
  const [first, second] = comeTimes(venue, low, 2);
  assert.ok(first?.line && second?.error);
  assert.ok(highs[9]?.error);
});

test('whose time is up leaves, and is told how long the others take, spread by chance', () => {
  const venue = new VirtualPlaces(boundsOf(1, 10, 5_000));
  const tenant = new Tenant('t');
  const running = comeTimes(venue, tenant, 1);
  comeTimes(venue, tenant, 8);
  for (let number = 0; number < 4; number++) {
    venue.pass(1_000);
    venue.end(running.shift() as TestCall);
    running.push(venue.taken.at(-1) as TestCall);
  }
  const late = venue.come(tenant);
  venue.pass(4_999);
  assert.equal(late.told, 0);
  venue.random = 0.5;
  venue.pass(1);
  assert.equal(late.error?.kind, 'overloaded');
  assert.match(
    late.error?.message ?? '',
    /waited 5 s, and no place at this gateway became free\. Try again in 2 s/,
  );
  assert.equal(late.error?.retryAfterMs, 1_500);
  assert.equal(venue.places.waiting, 0);
});

test('the time to come again grows with the queue and with how slowly places become free, up to a minute', () => {
  const venue = new VirtualPlaces(boundsOf(1, 20, 1e6));
  const tenant = new Tenant('t');
  const running = comeTimes(venue, tenant, 1);
  comeTimes(venue, tenant, 21);
  serve(venue, running, 1);
  venue.nowMs += 2_000;
  serve(venue, running, 1);
  comeTimes(venue, tenant, 2);
  const refused = venue.come(tenant);
  // Ten milliseconds, and then two seconds, as a mean; twenty wait before it.
  assert.equal(refused.error?.retryAfterMs, Math.round((0.8 * 10 + 0.2 * 2_010) * 21));
  venue.nowMs += 600_000;
  serve(venue, running, 1);
  venue.come(tenant);
  assert.equal(venue.come(tenant).error?.retryAfterMs, 60_000);
});

test('the operator is told now and then that calls are refused, and of how many', () => {
  const venue = new VirtualPlaces(boundsOf(5, 5), new Map([['m', boundsOf(1, 0)]]));
  const tenant = new Tenant('t');
  venue.come(tenant, 'm');
  comeTimes(venue, tenant, 4, 'm');
  assert.deepEqual(venue.told, [{ model: 'm', calls: 1 }]);
  venue.nowMs += 10_000;
  comeTimes(venue, tenant, 2, 'm');
  assert.deepEqual(venue.told.slice(1), [{ model: 'm', calls: 4 }]);
});

test('a bound that is raised or taken away lets in who waits; one that is lowered lets nobody in until it holds', () => {
  const all = boundsOf(100, 100);
  const venue = new VirtualPlaces(all, new Map([['m', boundsOf(1, 10)]]));
  const tenant = new Tenant('t');
  const [first, second, third, fourth, fifth] = comeTimes(venue, tenant, 5, 'm') as [
    TestCall,
    TestCall,
    TestCall,
    TestCall,
    TestCall,
  ];
  venue.places.setBounds({ all, models: new Map([['m', boundsOf(3, 10)]]) });
  assert.ok(second.place && third.place && !fourth.place);
  venue.places.setBounds({ all, models: new Map([['m', boundsOf(1, 10)]]) });
  venue.end(first);
  venue.end(second);
  assert.equal(fourth.place, undefined);
  venue.places.setBounds({ all, models: new Map() });
  assert.ok(fourth.place && fifth.place);
  venue.places.setBounds({ all, models: new Map([['m', boundsOf(3, 10)]]) });
  const sixth = venue.come(tenant, 'm');
  assert.equal(sixth.place, undefined, 'what ran meanwhile is counted');
  venue.end(third);
  assert.ok(sixth.place);
});

test('a tenant whose configuration changes keeps its places: they are counted in what it has', () => {
  const venue = new VirtualPlaces(boundsOf(2, 10), new Map([['m', boundsOf(1, 10)]]));
  const tenant = new Tenant('t');
  const call = venue.come(tenant, 'm');
  venue.places.setBounds({ all: boundsOf(2, 10), models: new Map([['m', boundsOf(1, 10)]]) });
  assert.equal(tenant.holder.running, 1);
  venue.end(call);
  assert.equal(tenant.holder.running, 0);
  assert.ok(venue.come(tenant, 'm').place);
});
