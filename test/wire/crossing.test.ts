import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation, DialectName } from '../../src/conversation/conversation.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { skipWithoutWire } from '../support/wire.ts';
import { type RecordedCall, recordedCalls } from './corpus.ts';
import {
  askedIn,
  CROSSING_MODELS,
  DIALECT_NAMES,
  decodeRequest,
  isSpokenByCallers,
  tellAndTellBack,
} from './crossing.ts';
import { CrossingList } from './crossing-list.ts';
import { completionDifferences, conversationDifferences } from './meaning.ts';
import { FAILED_ANSWERS, REFUSAL_RULES, type RefusalRule } from './refusal-rules.ts';

const options = { skip: skipWithoutWire };
const calls = recordedCalls();
const list = new CrossingList();

interface Crossing {
  call: RecordedCall;
  from: DialectName;
  via: DialectName;
}

function crossings(which: (call: RecordedCall) => boolean, vias: readonly DialectName[]): Crossing[] {
  return calls.filter(which).flatMap((call) => {
    const from = call.dialect;
    return vias.filter((via) => via !== from).map((via) => ({ call, from, via }));
  });
}

test('a recorded request says the same after crossing to each other dialect and back', options, (t) => {
  const refusals = REFUSAL_RULES.map((rule) => ({ rule, count: 0 }));
  const unexplained = new Set<string>();
  // What a provider refused may be anything.
  const asked = crossings(({ request, refusal }) => request !== undefined && !refusal, DIALECT_NAMES);
  let count = 0;
  for (const { call, from, via } of asked) {
    const name = `${from} > ${via}`;
    const first = decodeRequest(from, call.request ?? {}, call.model, call.stream);
    let back: Conversation;
    let dropped: readonly string[];
    try {
      const written = DIALECTS[via].encodeRequest(first, CROSSING_MODELS[via]);
      const told = decodeRequest(via, written.body, CROSSING_MODELS[via], call.stream);
      dropped = [...written.dropped, ...DIALECTS[from].encodeRequest(told, call.model).dropped];
      back = askedIn(call, told);
    } catch (error) {
      assert.ok(error instanceof GatewayError, `${name} ${call.id}: ${error}`);
      assert.equal(error.kind, 'invalid_request', `${name} ${call.id}: ${error}`);
      const refusal = refusals.find(({ rule }) => explains(rule, from, via, error.message));
      if (refusal) refusal.count++;
      else unexplained.add(`${name} refused: ${error.message} (${call.id})`);
      continue;
    }
    count++;
    const differences = conversationDifferences(askedIn(call, first), back);
    for (const line of list.unexplained('request', from, via, differences, { asked: first, back, dropped }))
      unexplained.add(`${name} ${line} (${call.id})`);
  }
  t.diagnostic(`${count} crossings`);
  assert.deepEqual([...unexplained], []);
  assert.deepEqual(
    refusals.map(({ rule, count }) => `${rule.message}: ${count}`),
    REFUSAL_RULES.map(({ message, count }) => `${message}: ${count}`),
  );
  assert.deepEqual(list.unused('request'), []);
  assert.ok(count > 3_600);
});

test('a recorded answer says the same to a client of each other dialect, and told back', options, (t) => {
  const unexplained = new Set<string>();
  const callers = DIALECT_NAMES.filter(isSpokenByCallers);
  const failed = new Set<(typeof FAILED_ANSWERS)[number]>();
  let count = 0;
  for (const { call, from, via } of crossings(isAnswered, callers)) {
    const name = `${from} > ${via}${call.stream ? ' as a stream' : ''}`;
    try {
      const { before, after, dropped } = tellAndTellBack(call, via as CallerDialectName);
      count++;
      const differences = completionDifferences(before, after);
      for (const line of list.unexplained('answer', from, via, differences, { dropped }))
        unexplained.add(`${name} ${line} (${call.id})`);
    } catch (error) {
      assert.ok(error instanceof GatewayError, `${name} ${call.id}: ${error}`);
      const { message } = error;
      const known = FAILED_ANSWERS.find((failed) => failed.id.test(call.id) && failed.message.test(message));
      if (known) failed.add(known);
      else unexplained.add(`${name} failed: ${message} (${call.id})`);
    }
  }
  t.diagnostic(`${count} crossings`);
  assert.deepEqual([...unexplained], []);
  assert.deepEqual(list.unused('answer'), []);
  assert.deepEqual(
    FAILED_ANSWERS.filter((answer) => !failed.has(answer)),
    [],
  );
  assert.ok(count > 3_600);
});

function isAnswered({ answer, messages }: RecordedCall): boolean {
  return answer !== undefined || messages !== undefined;
}

function explains(rule: RefusalRule, from: DialectName, via: DialectName, message: string): boolean {
  const isOf = (rule.from ?? [from]).includes(from) && (rule.via ?? [via]).includes(via);
  return isOf && rule.message.test(message);
}
