import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { objectsOf } from '../../support/values.ts';

/** What the raw chunks of a recorded stream add up to, computed apart from the codec and as plainly as possible. */
export interface Aggregate {
  id: string;
  model: string;
  choices: {
    index: number;
    content: string;
    reasoning: string;
    calls: { id: string; name: string; arguments: string }[];
    finish: string;
  }[];
  totalTokens: number | undefined;
}

export function aggregateChunks(chunks: readonly JsonObject[]): Aggregate {
  const sum: Aggregate = { id: '', model: '', choices: [], totalTokens: undefined };
  for (const chunk of chunks) {
    sum.id ||= text(chunk['id']);
    sum.model ||= text(chunk['model']);
    const { usage } = chunk;
    if (isObject(usage)) sum.totalTokens = Number(usage['total_tokens']);
    for (const choice of objectsOf(chunk['choices'])) addChoice(sum, choice);
  }
  return sum;
}

function addChoice(sum: Aggregate, { index, delta, finish_reason: finish }: JsonObject): void {
  let choice = sum.choices.find((candidate) => candidate.index === index);
  if (!choice) {
    choice = { index: Number(index), content: '', reasoning: '', calls: [], finish: '' };
    sum.choices.push(choice);
  }
  choice.finish = text(finish) || choice.finish;
  if (!isObject(delta)) return;
  choice.reasoning += text(delta['reasoning_content']) || text(delta['reasoning']);
  choice.content += text(delta['content']);
  for (const { type, text: said, thinking } of objectsOf(delta['content'])) {
    if (type === 'text') choice.content += text(said);
    for (const piece of objectsOf(thinking)) choice.reasoning += text(piece['text']);
  }
  for (const call of objectsOf(delta['tool_calls'])) addCall(choice.calls, call);
}

function addCall(
  calls: Aggregate['choices'][number]['calls'],
  { index, id, function: called }: JsonObject,
): void {
  const at = typeof index === 'number' ? index : calls.length;
  calls[at] ??= { id: '', name: '', arguments: '' };
  const call = calls[at];
  call.id ||= text(id);
  if (!isObject(called)) return;
  call.name ||= text(called['name']);
  call.arguments += text(called['arguments']);
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
