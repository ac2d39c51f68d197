import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { signDelivery } from '../../src/webhooks/sign.ts';

const makeSecret = () => `whsec_${randomBytes(32).toString('base64')}`;

test('what is signed is verified by the library of the specification', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 3 }), fc.uuid(), (body, id) => {
      const secret = makeSecret();
      const headers = signDelivery(`evt_${id}`, Date.now(), body, [secret]);
      assert.deepEqual(new Webhook(secret).verify(body, { ...headers }), JSON.parse(body));
      assert.throws(() => new Webhook(makeSecret()).verify(body, { ...headers }));
      assert.throws(() => new Webhook(secret).verify(`${body} `, { ...headers }));
    }),
    { numRuns: 30 },
  );
});

test('the example of the specification has the signature that its library gives', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const body = '{"test": 2432232314}';
  const at = 1_614_265_330_000;
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
  const signature = new Webhook(secret).sign(id, new Date(at), body);
  assert.equal(signDelivery(id, at, body, [secret])['webhook-signature'], signature);
});

test('while a secret is replaced receivers can have either', () => {
  const [next, before] = [makeSecret(), makeSecret()];
  const headers = { ...signDelivery('evt_1', Date.now(), '{}', [next, before]) };
  for (const secret of [next, before]) new Webhook(secret).verify('{}', headers);
});
