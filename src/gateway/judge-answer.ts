import { collectEvents } from '../conversation/collect.ts';
import type { Completion, FinishReason } from '../conversation/completion.ts';
import { DIALECTS } from '../dialects/registry.ts';
import { EventReader } from '../upstream/event-reader.ts';
import type { Recount } from '../usage/ledger.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { RolloutFlag, RolloutNote, Scores } from '../usage/rollout-note.ts';
import type { Call } from './call.ts';
import { parseObject } from './count-input.ts';

const FLAG_OF: Partial<Record<FinishReason, RolloutFlag>> = {
  refusal: 'refused',
  content_filter: 'filtered',
  length: 'cut_off',
  context_length: 'cut_off',
};

/** What is looked at of a call. */
export type JudgedCall = Pick<Call, 'tap' | 'door' | 'stream'> & Partial<Pick<Call, 'rollout'>>;

/**
 * Has a record of a rollout told how the answer ended, when the ledger is about to write it: not on the way of the call. What the call
 * came to is told either way; a kill before then loses no more than this.
 */
export function judgeLater(
  call: JudgedCall,
  record: UsageRecord,
  recount: Recount | undefined,
): Recount | undefined {
  const { rollout } = record;
  if (!rollout || !call.tap || record.outcome !== 'ok' || rollout.flags.includes('failed')) return recount;
  // Not the call itself: it holds a connection.
  const { tap, door, stream } = call;
  const readScores = call.rollout?.readScores;
  return {
    count: async () => {
      const answer = readAnswer({ tap, door, stream });
      if (answer)
        record.rollout = readScores ? withScores(rollout, readScores(answer)) : withEnd(rollout, answer);
      return recount?.count();
    },
    drop: () => recount?.drop(),
  };
}

function withEnd(note: RolloutNote, answer: Completion): RolloutNote {
  return { ...note, flags: [...note.flags, 'read', ...flagsOf(answer)] };
}

function withScores(note: RolloutNote, scores: Scores | undefined): RolloutNote {
  return scores ? { ...note, scores } : note;
}

function flagsOf({ choices }: Completion): RolloutFlag[] {
  return [...new Set(choices.flatMap(({ finish }) => FLAG_OF[finish] ?? []))];
}

/** `undefined` where the answer is in no form that is read here, or too large. */
export function readAnswer({ tap, door, stream }: JudgedCall): Completion | undefined {
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
