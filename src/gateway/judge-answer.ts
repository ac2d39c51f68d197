import { collectEvents } from '../conversation/collect.ts';
import type { Completion, FinishReason } from '../conversation/completion.ts';
import type { JsonObject } from '../conversation/json.ts';
import { DIALECTS } from '../dialects/registry.ts';
import { EventReader } from '../upstream/event-reader.ts';
import type { Recount } from '../usage/ledger.ts';
import type { UsageRecord } from '../usage/record.ts';
import {
  isAnsweredByAnother,
  type RolloutFlag,
  type RolloutNote,
  type Scores,
} from '../usage/rollout-note.ts';
import { type AnswerEnds, withEnds } from './answer-ends.ts';
import type { Call } from './call.ts';
import { parseObject } from './count-input.ts';
import type { Gateway } from './gateway.ts';
import { type Structures, structuresOf } from './structures-of.ts';

const FLAG_OF: Partial<Record<FinishReason, RolloutFlag>> = {
  refusal: 'refused',
  content_filter: 'filtered',
  length: 'cut_off',
  context_length: 'cut_off',
};

/** An answer as its client got it, or would have; `rollout`: of a prompt that has what its model said. */
export type ToldAnswer = Pick<Call, 'tap' | 'door' | 'stream'> & Partial<Pick<Call, 'rollout'>>;

/** What is looked at of a call. */
export type JudgedCall = ToldAnswer &
  Pick<Call, 'body' | 'address' | 'caller'> & { ends?: AnswerEnds | undefined };

/**
 * Has a record of a rollout told how the answer ended and whether what the call says the form of has it, when the ledger is about to write
 * it: not on the way of the call. What the call came to is told either way; a kill before then loses no more than this.
 */
export function judgeLater(
  { structures }: Pick<Gateway, 'structures'>,
  call: JudgedCall,
  record: UsageRecord,
  recount: Recount | undefined,
): Recount | undefined {
  const { rollout } = record;
  if (
    !rollout ||
    !(call.tap || call.rollout?.ofPrompt) ||
    record.outcome !== 'ok' ||
    isAnsweredByAnother(rollout)
  )
    return recount;
  // Not the call itself: it holds a connection.
  const { tap, door, stream, body, address, caller, ends } = call;
  const asked = { door, body, address };
  const side = call.rollout;
  const readScores = side?.readScores;
  return {
    count: async () => {
      const read = readAnswer({ tap, door, stream, rollout: side });
      if (read && readScores) record.rollout = withScores(rollout, readScores(read));
      else if (read) {
        const answer = withEnds(read, ends);
        const judged = await judgeStructures(structures, caller.tenant, asked, answer);
        record.rollout = { ...rollout, flags: [...rollout.flags, 'read', ...flagsOf(answer), ...judged] };
      }
      return recount?.count();
    },
    drop: () => recount?.drop(),
  };
}

function withScores(note: RolloutNote, scores: Scores | undefined): RolloutNote {
  return scores ? { ...note, scores } : note;
}

function flagsOf({ choices }: Completion): RolloutFlag[] {
  return [...new Set(choices.flatMap(({ finish }) => FLAG_OF[finish] ?? []))];
}

/** `undefined` where the answer is in no form that is read here, or too large. */
export function readAnswer({ tap, door, stream, rollout }: ToldAnswer): Completion | undefined {
  if (rollout?.ofPrompt) return rollout.ofPrompt.said;
  const dialect = DIALECTS[door.dialect.name];
  if (!tap || tap.missed || door.dialect !== dialect) return undefined;
  const answer = tap.read();
  try {
    if (!stream) return dialect.decodeResponse(parseObject(answer));
    const reader = new EventReader();
    const decoder = dialect.streamDecoder();
    const messages = [...reader.push(answer), ...reader.end()];
    const events = [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
    const { completion, ended } = collectEvents(events);
    return ended ? completion : undefined;
  } catch {
    // What cannot be read says nothing; that it was answered is known.
    return undefined;
  }
}

/** Fields of requests that ask for an answer in JSON, in one dialect or another. */
const FORMAT_FIELDS = [
  ...['response_format', 'text', 'output_config', 'output_format', 'generationConfig', 'generation_config'],
] as const;

/** Whether outputs in JSON are what the call's own schema wants, and tool calls what the tools' own schemas do. */
async function judgeStructures(
  judge: Gateway['structures'],
  tenant: string,
  asked: Pick<Call, 'door' | 'body' | 'address'>,
  { choices }: Completion,
): Promise<RolloutFlag[]> {
  const structures = readStructures(asked, choices);
  if (!structures) return [];
  const { outputs, toolCalls, hasBadToolCall } = structures;
  const [isOutputFit, areCallsFit] = await Promise.all([
    judge.fit(tenant, outputs),
    hasBadToolCall ? false : judge.fit(tenant, toolCalls),
  ]);
  const flags: RolloutFlag[] = [];
  if (isOutputFit !== undefined) flags.push('output_judged');
  if (isOutputFit === false) flags.push('output_invalid');
  if (areCallsFit !== undefined) flags.push('tools_judged');
  if (areCallsFit === false) flags.push('tools_invalid');
  return flags;
}

/** `undefined` where there are none, or the request cannot be read. */
function readStructures(
  { door, body, address }: Pick<Call, 'door' | 'body' | 'address'>,
  choices: Completion['choices'],
): Structures | undefined {
  const callsTools = choices.some(
    ({ parts, finish }) => finish === 'malformed_tool_call' || parts.some(({ type }) => type === 'tool_call'),
  );
  try {
    const request: JsonObject = parseObject(body);
    if (!callsTools && FORMAT_FIELDS.every((field) => request[field] === undefined)) return undefined;
    return structuresOf(door.dialect.decodeRequest(request, address ?? {}), choices);
  } catch {
    // A provider of the caller's dialect takes things that this gateway does not know.
    return undefined;
  }
}
