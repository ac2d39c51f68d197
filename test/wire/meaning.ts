import { isDeepStrictEqual } from 'node:util';
import type { Completion } from '../../src/conversation/completion.ts';
import type {
  Citation,
  Conversation,
  Part,
  ReasoningPart,
  RefusalPart,
  TextPart,
  Tool,
} from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { inputTokens, outputTokens } from '../../src/conversation/usage.ts';
import { type Difference, listDifferences } from '../support/wire-diff.ts';

/*
 * What two conversations, or two answers, say differently, with paths that name kinds of things instead of places:
 * `said.assistant.tool_call.arguments`. Lists are aligned first, so that one part that is missing is told as that one
 * and not as a change of all that follow it.
 */

interface Item {
  /** As paths name it. */
  kind: string;
  /** What makes two items the same one, whatever else they say. */
  key: string;
  value: JsonObject;
}

export function conversationDifferences(before: Conversation, after: Conversation): Difference[] {
  return [
    ...alignedDifferences(systemOf(before), systemOf(after)),
    ...alignedDifferences(saidIn(before), saidIn(after)),
    ...alignedDifferences(before.tools.map(toolItem), after.tools.map(toolItem)),
    ...listDifferences(requestOf(before), requestOf(after)),
  ];
}

export function completionDifferences(before: Completion, after: Completion): Difference[] {
  const choices = new Set([...before.choices, ...after.choices].map(({ index }) => index));
  return [
    ...[...choices].flatMap((index) => alignedDifferences(partsOf(before, index), partsOf(after, index))),
    ...listDifferences(answerOf(before), answerOf(after)),
  ];
}

function systemOf({ messages }: Conversation): Item[] {
  const items: Item[] = [];
  let begun = false;
  for (const { role, parts, extra } of messages) {
    if (role !== 'system' && role !== 'developer') {
      begun = true;
      continue;
    }
    for (const part of parts) {
      const value = plain({ ...part, role, midway: begun, messageExtra: extra });
      items.push({ kind: `system.${part.type}`, key: keyOf(part), value });
    }
  }
  return items;
}

function saidIn({ messages }: Conversation): Item[] {
  return messages.flatMap(({ role, parts, name, extra }) => {
    if (role === 'system' || role === 'developer') return [];
    return parts.map((part) => {
      const value = plain({ ...part, messageName: name, messageExtra: extra });
      return { kind: `said.${role}.${part.type}`, key: `${role} ${keyOf(part)}`, value };
    });
  });
}

/** What is no text stands for itself; of texts it is not told where one part ends and the next begins. */
function partsOf({ choices }: Completion, index: number): Item[] {
  const parts = choices.find((choice) => choice.index === index)?.parts ?? [];
  return parts
    .filter((part) => !isTextual(part))
    .map((part) => ({ kind: `part.${part.type}`, key: keyOf(part), value: plain(part) }));
}

function isTextual(part: Part): part is TextPart | ReasoningPart | RefusalPart {
  return part.type === 'text' || part.type === 'reasoning' || part.type === 'refusal';
}

function textsOf(parts: readonly Part[]): JsonObject {
  const texts = parts.filter(isTextual);
  const said = (type: Part['type']): string =>
    texts.map((part) => (part.type === type ? part.text : '')).join('');
  return plain({
    text: said('text'),
    reasoning: said('reasoning'),
    refusal: said('refusal'),
    citations: citationsOf(texts),
    signatures: texts
      .flatMap((part) =>
        part.type === 'refusal'
          ? []
          : [part.signature ?? (part.type === 'reasoning' ? part.encrypted : undefined)],
      )
      .filter((signature) => signature !== undefined),
    extra: texts.flatMap(({ extra }) => extra ?? []),
  });
}

/** Their places in the text as a whole. */
function citationsOf(texts: readonly Part[]): Citation[] {
  let before = 0;
  return texts.flatMap((part) => {
    if (part.type !== 'text') return [];
    const at = before;
    before += part.text.length;
    return (part.citations ?? []).map(({ start, end, ...citation }) => ({
      ...citation,
      ...(start === undefined ? {} : { start: at + start }),
      ...(end === undefined ? {} : { end: at + end }),
    }));
  });
}

function keyOf(part: Part): string {
  if (part.type === 'tool_call') return `call ${part.name}`;
  if (part.type === 'tool_result') return 'result';
  if ('text' in part) return `${part.type} ${part.text}`;
  return part.type === 'opaque' ? JSON.stringify(part.value) : part.type;
}

function toolItem(tool: Tool): Item {
  const key = tool.type === 'opaque' ? JSON.stringify(tool.value) : tool.name;
  return { kind: `tool.${tool.type}`, key, value: plain(tool) };
}

function requestOf(conversation: Conversation): JsonObject {
  const { toolChoice, parallelToolCalls, parameters, responseFormat, reasoning, extra } = conversation;
  return plain({ toolChoice, parallelToolCalls, parameters, responseFormat, reasoning, extra });
}

function answerOf({ id, model, created, usage, extra, choices }: Completion): JsonObject {
  const said = choices.map(({ parts, ...end }) => ({ ...end, ...textsOf(parts) }));
  // Nothing counted and nothing said are the same. Whatever the buckets, the sums must be right.
  const sums = usage && { input: inputTokens(usage), output: outputTokens(usage) };
  const counted = sums && sums.input + sums.output > 0 ? { usage, sums } : {};
  return plain({ id, model, created, ...counted, extra, choices: said });
}

/** Without the fields that are `undefined`, as JSON has it. */
function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function alignedDifferences(before: readonly Item[], after: readonly Item[]): Difference[] {
  const differences: Difference[] = [];
  for (const [old, now] of align(before, after)) {
    if (!now)
      differences.push({ path: old?.kind ?? '', change: 'lost', before: old?.value, after: undefined });
    else if (!old) differences.push({ path: now.kind, change: 'added', before: undefined, after: now.value });
    else {
      for (const { path, ...difference } of listDifferences(old.value, now.value)) {
        differences.push({ ...difference, path: `${old.kind}.${path}` });
      }
    }
  }
  return differences;
}

type Pair = [Item | undefined, Item | undefined];

/** The longest common subsequence of keys; equal values first, for keys need not tell everything. */
function align(before: readonly Item[], after: readonly Item[]): Pair[] {
  const same = (a: Item | undefined, b: Item | undefined): number => {
    if (!a || !b || a.key !== b.key) return 0;
    return isDeepStrictEqual(a.value, b.value) ? 2 : 1;
  };
  const scores = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  const scoreAt = (i: number, j: number): number => scores[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const pair = same(before[i], after[j]);
      const row = scores[i];
      const paired = pair === 0 ? 0 : scoreAt(i + 1, j + 1) + pair;
      if (row) row[j] = Math.max(paired, scoreAt(i + 1, j), scoreAt(i, j + 1));
    }
  }
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const pair = same(before[i], after[j]);
    if (pair > 0 && scoreAt(i, j) === scoreAt(i + 1, j + 1) + pair) pairs.push([before[i++], after[j++]]);
    else if (j >= after.length || (i < before.length && scoreAt(i + 1, j) >= scoreAt(i, j + 1)))
      pairs.push([before[i++], undefined]);
    else pairs.push([undefined, after[j++]]);
  }
  return pairs;
}
