import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundsOf, Tenant, type TestCall, VirtualPlaces } from './virtual-places.ts';

/** One place, which is given on every second while others wait. */
function busyVenue(waiting: number) {
  const venue = new VirtualPlaces(boundsOf(1, 100, 600_000));
  const tenant = new Tenant('many');
  let runs = venue.come(tenant);
  const calls = Array.from({ length: waiting + 5 }, () => venue.come(tenant));
  const serve = (times: number) => {
    for (let served = 0; served < times; served++) {
      venue.pass(1_000);
      venue.end(runs);
      runs = venue.taken.at(-1) as TestCall;
    }
  };
  serve(5);
  return { venue, tenant, calls, serve };
}

test('a call whose turn would be after its deadline is refused at once, and told when to come again', () => {
  const { venue, tenant } = busyVenue(10);
  const inVain = venue.come(tenant, undefined, 9_000);
  assert.equal(inVain.error?.kind, 'overloaded');
  assert.match(inVain.error?.message ?? '', /within the 9 s that the call has/);
  assert.equal(inVain.error?.retryAfterMs, 11_000);
  const inTime = venue.come(tenant, undefined, 12_000);
  assert.ok(inTime.line, 'eleven places are given within its time');
});

test('who goes before others is judged by its own turn', () => {
  const { venue, tenant } = busyVenue(10);
  const [high, low] = [new Tenant('high', 'high'), new Tenant('low', 'low')];
  assert.ok(venue.come(high, undefined, 1_500).line, 'it is next');
  assert.ok(venue.come(new Tenant('rare'), undefined, 3_500).line, 'its tenant has nothing else');
  assert.ok(venue.come(tenant, undefined, 9_000).error);
  assert.ok(venue.come(low, undefined, 9_000).error, 'of ten places one is for its priority');
  assert.ok(venue.come(low, undefined, 11_000).line);
});

test('while no place becomes free at all, fewer and fewer are worth waiting for', () => {
  const { venue, tenant } = busyVenue(3);
  const patience = 6_000;
  assert.ok(venue.come(tenant, undefined, patience).line);
  venue.pass(20_000);
  assert.ok(venue.come(tenant, undefined, patience).error);
});

test('who would wait alone waits, whatever the queue took before: so that is seen to be over', () => {
  const { venue, tenant, serve } = busyVenue(0);
  assert.equal(venue.places.waiting, 0);
  const alone = venue.come(tenant, undefined, 500);
  assert.ok(alone.line);
  const second = venue.come(tenant, undefined, 500);
  assert.ok(second.error);
  venue.pass(100);
  serve(0);
  assert.equal(alone.told, 0);
});

test('one whose deadline passes while it waits is refused then, and never gets a place', () => {
  const venue = new VirtualPlaces(boundsOf(1, 10, 600_000));
  const tenant = new Tenant('t');
  const runs = venue.come(tenant);
  const [short, long] = [venue.come(tenant, undefined, 1_234), venue.come(tenant, undefined, 60_000)];
  venue.pass(1_229);
  assert.equal(short.told, 0);
  venue.pass(1);
  assert.equal(short.error?.kind, 'overloaded');
  assert.match(short.error?.message ?? '', /waited 1\.23 s/);
  venue.end(runs);
  assert.ok(long.place);
  assert.equal(venue.timed, 0);
});

test('a place that becomes free when a deadline has just passed is for the next', () => {
  const venue = new VirtualPlaces(boundsOf(1, 10, 600_000));
  const tenant = new Tenant('t');
  const runs = venue.come(tenant);
  const [late, next] = [venue.come(tenant, undefined, 1_000), venue.come(tenant)];
  // No timer has run yet.
  venue.nowMs += 1_000;
  venue.end(runs);
  assert.equal(late.error?.kind, 'overloaded');
  assert.equal(late.place, undefined);
  assert.ok(next.place);
});

test('a deadline never makes a call wait longer than others may', () => {
  const venue = new VirtualPlaces(boundsOf(1, 10, 5_000));
  const tenant = new Tenant('t');
  venue.come(tenant);
  const patient = venue.come(tenant, undefined, 600_000);
  venue.pass(5_000);
  assert.equal(patient.error?.kind, 'overloaded');
});

test('how the queue was a minute ago says nothing of now', () => {
  const { venue, tenant } = busyVenue(0);
  venue.nowMs += 61_000;
  venue.come(tenant, undefined, 500);
  assert.ok(venue.come(tenant, undefined, 500).line);
});
