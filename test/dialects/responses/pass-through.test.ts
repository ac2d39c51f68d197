import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';
import { passThrough } from '../../../src/dialects/responses/pass-through.ts';
import { skipWithoutWire } from '../../support/wire.ts';
import { answers, readEvents, streams } from './recordings.ts';

function prepare(text: string): string {
  const body = Buffer.from(text);
  const spans = findTopLevelFields(body, passThrough.fields);
  return passThrough.prepareRequest(body, spans, { model: 'gpt-x', stream: false }).toString();
}

test('only the model changes: unknown fields, numbers, order and spacing stay as they came', () => {
  assert.equal(
    prepare('{ "future":[1e999, 12345678901234567890], "model" : "smart" ,"input":[{"model":"x"}]}'),
    '{ "future":[1e999, 12345678901234567890], "model" : "gpt-x" ,"input":[{"model":"x"}]}',
  );
});

test('the usage of a whole answer is found, also behind arguments that speak of "usage"', () => {
  const answer = {
    output: [{ type: 'function_call', arguments: '{"usage":{"input_tokens":9}}' }],
    tool_usage: { web_search: { num_requests: 0 } },
    usage: { input_tokens: 10, output_tokens: 3, input_tokens_details: { cached_tokens: 4 } },
    user: 'usage',
  };
  for (const space of [0, 2]) {
    const usage = passThrough.readUsage(Buffer.from(JSON.stringify(answer, null, space)));
    assert.deepEqual(usage, { ...NO_USAGE, input: 6, cacheRead: 4, output: 3 });
  }
  assert.equal(passThrough.readUsage(Buffer.from('{"output":[],"usage":null}')), undefined);
});

test('an answer that is an error in truth is found; an error of a tool within it is none', () => {
  const failure = (body: JsonObject) => passThrough.readFailure(Buffer.from(JSON.stringify(body)));
  assert.equal(failure({ status: 'completed', error: null, output: [] }), undefined);
  const call = { type: 'mcp_call', status: 'failed', error: { message: 'tool' } };
  assert.equal(failure({ status: 'completed', error: null, output: [call] }), undefined);
  assert.equal(
    failure({ status: 'failed', error: { code: 'rate_limit_exceeded', message: 'x' }, output: [] })?.kind,
    'upstream_rate_limited',
  );
  assert.equal(failure({ error: { message: 'no' } })?.message, 'no');
});

function event(type: string, fields: JsonObject = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

const CREATED = event('response.created', { response: { id: 'resp_1', error: null, usage: null } });
const ADDED = event('response.output_item.added', { output_index: 0, item: { type: 'message' } });
const DELTA = event('response.output_text.delta', { delta: 'say "response.completed"' });
const USAGE = { input_tokens: 5, output_tokens: 2 };
const COMPLETED = event('response.completed', { response: { id: 'resp_1', usage: USAGE } });

function scanAll(events: string[]) {
  const scanner = passThrough.streamScanner({ hideUsage: true });
  const relayed = events.map((text) => scanner.scan(Buffer.from(text)).toString()).join('');
  assert.equal(relayed, events.join(''));
  return scanner;
}

test('what only begins is no output; deltas, built-in tools and what we do not know are', () => {
  assert.equal(scanAll([CREATED, event('response.in_progress'), ADDED]).hasOutput, false);
  for (const output of [DELTA, event('response.web_search_call.searching'), event('response.future.thing')]) {
    assert.equal(scanAll([CREATED, output]).hasOutput, true, output);
  }
});

test('a stream that completes', () => {
  const scanner = scanAll([CREATED, ADDED, DELTA, DELTA + DELTA, COMPLETED]);
  assert.deepEqual(scanner.usage, { ...NO_USAGE, input: 5, output: 2 });
  assert.equal(scanner.outputEvents, 3);
  assert.deepEqual([scanner.finished, scanner.terminated, scanner.failure], [true, true, undefined]);
  assert.equal(scanner.closing(), '');
});

test('words within the text of a stream end nothing', () => {
  const scanner = scanAll([CREATED, DELTA, DELTA]);
  assert.deepEqual([scanner.finished, scanner.terminated], [false, false]);
});

test('an incomplete or failed response says its usage too', () => {
  const incomplete = scanAll([DELTA, event('response.incomplete', { response: { usage: USAGE } })]);
  assert.deepEqual([incomplete.finished, incomplete.usage?.output], [true, 2]);
  const failed = scanAll([
    CREATED,
    event('response.failed', {
      response: { status: 'failed', error: { code: 'server_error', message: 'Oh' }, usage: USAGE },
    }),
  ]);
  assert.equal(failed.hasOutput, false);
  assert.equal(failed.finished, false);
  assert.equal(failed.usage?.output, 2);
  assert.deepEqual([failed.failure?.kind, failed.failure?.message], ['upstream_unavailable', 'Oh']);
});

test('an error event, flat or nested, before or after output', () => {
  const flat = event('error', { code: 'rate_limit_exceeded', message: 'Slow', param: null });
  const nested = event('error', { error: { code: 'rate_limit_exceeded', message: 'Slow' } });
  for (const events of [[flat], [CREATED, nested], [CREATED, DELTA, flat]]) {
    const { failure } = scanAll(events);
    assert.deepEqual([failure?.kind, failure?.message], ['upstream_rate_limited', 'Slow']);
  }
});

test('behind an error alone comes the failed response, once', () => {
  const error = event('error', { code: 'server_error', message: 'Oh' });
  const oh = new GatewayError('upstream_unavailable', 'Oh');
  const alone = scanAll([CREATED, DELTA, error]);
  assert.equal(alone.failureIsTold, true);
  const [{ data = '' } = {}] = readEvents(alone.closeFailure?.(oh) ?? '');
  const last = tryParseJson(data);
  assert.ok(isObject(last));
  assert.deepEqual([last['type'], last['sequence_number']], ['response.failed', 3]);
  const failed = event('response.failed', { response: { status: 'failed', error: { message: 'Oh' } } });
  assert.equal(scanAll([CREATED, DELTA, error + failed]).closeFailure?.(oh), '');
});

test('an error before any response tells half of it: all of it is written in its place', () => {
  const scanner = scanAll([event('error', { code: 'server_error', message: 'Oh' })]);
  assert.equal(scanner.failureIsTold, false);
  assert.equal(scanner.breakOff?.(new GatewayError('upstream_unavailable', 'Oh')), undefined);
});

test('a stream that breaks off goes on with numbered events that say so', () => {
  const scanner = scanAll([CREATED, ADDED, DELTA, DELTA]);
  const last = scanner.breakOff?.(new GatewayError('upstream_unavailable', 'Gone.')) ?? '';
  const events = readEvents(last).map(({ data }) => tryParseJson(data));
  assert.deepEqual(
    events.map((value) => isObject(value) && [value['type'], value['sequence_number']]),
    [
      ['error', 4],
      ['response.failed', 5],
    ],
  );
  const response = isObject(events[1]) ? events[1]['response'] : undefined;
  assert.ok(isObject(response));
  assert.deepEqual([response['id'], response['status']], ['resp_1', 'failed']);
});

test('a stream that speaks of data goes on with the right number', () => {
  const speaking = event('response.output_text.delta', { delta: 'data: a\ndata: b, "data:"' });
  const crlf = DELTA.replaceAll('\n', '\r\n');
  const scanner = scanAll([CREATED, DELTA, speaking, speaking + crlf, 'data: {"type":"x"}\n\n']);
  const last = scanner.breakOff?.(new GatewayError('upstream_unavailable', 'Gone.')) ?? '';
  assert.match(last, /"sequence_number":6/);
});

test('a response that is cancelled while it is streamed is a failure', () => {
  const { failure, finished, terminated } = scanAll([
    CREATED,
    DELTA,
    event('response.cancelled', { response: { id: 'resp_1', status: 'cancelled', usage: USAGE } }),
  ]);
  assert.deepEqual([finished, terminated], [false, true]);
  assert.match(failure?.message ?? '', /cancelled|failed/);
});

test('what stands behind the last blank line is an event only if it is whole', () => {
  const scanner = scanAll([CREATED]);
  assert.equal(scanner.isWholeEvent(Buffer.from(COMPLETED.trimEnd())), true);
  for (const cut of ['', 'data: ', COMPLETED.slice(0, 60), ': a comment']) {
    assert.equal(scanner.isWholeEvent(Buffer.from(cut)), false, cut);
  }
});

test('recorded streams pass with their usage and end', { skip: skipWithoutWire }, () => {
  for (const { id, messages } of streams) {
    const scanner = scanAll(messages.map(({ data }) => `data: ${data}\n\n`));
    assert.deepEqual([scanner.hasOutput, scanner.finished, scanner.failure], [true, true, undefined], id);
    assert.ok(scanner.usage, id);
  }
});

test('recorded answers pass, their usage is found, and none is taken for a failure', {
  skip: skipWithoutWire,
}, () => {
  for (const { id, body } of answers) {
    const bytes = Buffer.from(JSON.stringify(body));
    assert.equal(passThrough.readFailure(bytes), undefined, id);
    assert.equal(passThrough.readUsage(bytes) !== undefined, isObject(body['usage']), id);
  }
});
