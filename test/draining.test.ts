import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpenConnections } from '../src/draining.ts';
import { letIn } from '../src/http/let-in.ts';

const HEAD = 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n';

test('a request that arrives is waited for while something of it comes; one that is here until it is answered', async (context) => {
  const server = createServer();
  const connections = new OpenConnections(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  context.after(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'connection');
  assert.equal(connections.haveRequests(0), false, 'it is idle');
  const request = once(server, 'request');
  let received = 0;
  socket.write(`${HEAD}ab`);
  const [incoming, response] = await request;
  incoming.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  const send = async (text: string) => {
    const until = received + text.length;
    socket.write(text);
    for (let tries = 0; received < until && tries < 1_000; tries++) await sleep(5);
    assert.equal(received, until);
  };
  for (let tries = 0; received < 2 && tries < 1_000; tries++) await sleep(5);
  assert.equal(connections.haveRequests(0), false, 'nobody with a key has sent it');
  letIn(incoming);
  assert.equal(connections.haveRequests(1_000), true);
  assert.equal(connections.haveRequests(5_999), true, 'nothing came for less than five seconds');
  assert.equal(connections.haveRequests(6_000), false, 'it has stalled');
  await send('cd');
  assert.equal(connections.haveRequests(7_000), true, 'it goes on');
  assert.equal(connections.haveRequests(12_000), false);
  const whole = once(incoming, 'end');
  await send('efgh');
  await whole;
  assert.equal(connections.haveRequests(90_000), true, 'it is here whole');
  assert.equal(connections.haveRequests(190_000), true);
  const answered = once(response, 'close');
  response.end();
  await answered;
  assert.equal(connections.haveRequests(200_000), false, 'it is answered');
});
