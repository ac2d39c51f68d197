import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Answer {
  sent: string;
  type?: string;
  stream?: boolean;
  status: number;
  told: RegExp;
}

const EVENTS = 'text/event-stream';
const ANSWERS: Answer[] = [
  { sent: '{bad json', status: 502, told: /cut off/ },
  { sent: 'Service down', status: 502, told: /not JSON/ },
  { sent: '', status: 502, told: /empty answer/ },
  { sent: '[]', status: 502, told: /no JSON object|no chat completion/ },
  { sent: '[{"error":{"message":"Slow down","code":429}}]', status: 429, told: /Slow down/ },
  {
    sent: `${chatChunk('Hi', 'stop')}data: [DONE]\n\n`,
    type: EVENTS,
    status: 502,
    told: /an event stream instead of JSON/,
  },
  {
    sent: ': wait\n\ndata: {"error":{"message":"Slow down","code":429}}\n\n',
    type: EVENTS,
    status: 429,
    told: /Slow down/,
  },
  { sent: 'data: {bad json\n\n', type: EVENTS, stream: true, status: 502, told: /an event that is not JSON/ },
  { sent: 'data: [1]\n\n', type: EVENTS, stream: true, status: 502, told: /an event that is no JSON object/ },
  {
    sent: 'event: error\ndata: All engines are down\n\n',
    type: EVENTS,
    stream: true,
    status: 502,
    told: /All engines/,
  },
];

for (const { sent, type = 'application/json', stream = false, status, told } of ANSWERS) {
  for (const path of ['/v1/chat/completions', '/v1/messages']) {
    test(`${JSON.stringify(sent)} for stream: ${stream} is told as what it is (${path})`, async () => {
      const upstream = await startRawUpstream((response) => {
        response.setHeader('content-type', type);
        response.end(sent);
      });
      const gateway = await startGateway(configFor(upstream));
      closing.push(upstream.close, gateway.stop);
      const ask = { model: 'up/m', stream, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };
      const response = await gateway.post(path, ask);
      const { error } = (await response.json()) as { error: { message: string } };
      assert.match(error.message, told);
      assert.doesNotMatch(error.message, /bad json/);
      assert.equal(response.status, status);
    });
  }
}
