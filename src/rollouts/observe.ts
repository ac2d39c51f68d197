import type { CallRow } from '../store/schema.ts';
import { type RolloutNote, readRolloutNote } from '../usage/rollout-note.ts';
import type { AtLeast, Observation, Whose } from './observation.ts';

/** What a call's row says of its side. A call that failed there says nothing of times and costs; one whose client left, how long it took at the least. */
export function observe(row: CallRow): Observation | undefined {
  const note = row.rollout === null ? undefined : readRolloutNote(row.rollout);
  if (!note || note.flags.includes('judged') || note.flags.includes('unsaid')) return undefined;
  const { flags } = note;
  const has = (flag: (typeof flags)[number]) => flags.includes(flag);
  if (has('left')) return observeLeft(row, note);
  const observation: Observation = {
    ...whoseOf(note),
    ...{ failed: has('failed'), timedOut: has('timed_out'), left: false },
  };
  if (has('stood_in')) observation.next = 'answered';
  else if (has('next_failed')) observation.next = 'failed';
  if (has('read')) {
    Object.assign(observation, {
      refused: has('refused'),
      cutOff: has('cut_off'),
      filtered: has('filtered'),
    });
  }
  if (has('output_judged')) observation.invalidOutput = has('output_invalid');
  if (has('tools_judged')) observation.invalidToolCall = has('tools_invalid');
  if (observation.failed || row.outcome !== 'ok') return observation;
  observation.latencyMs = row.latency_ms;
  if (row.stream === 1 && row.first_token_ms !== null) observation.firstTokenMs = row.first_token_ms;
  if (has('overtaken')) return observation;
  if (row.cost_micro_usd !== null) observation.costMicroUsd = row.cost_micro_usd;
  if (row.output_tokens !== null) observation.outputTokens = row.output_tokens;
  return observation;
}

/** Whose a call was that counts against nobody, for the stable, asked next, failed it as the candidate did; `undefined` of any other. */
export function observeFailedByBoth({ rollout }: CallRow): Whose | undefined {
  const note = rollout === null ? undefined : readRolloutNote(rollout);
  if (!note?.flags.includes('unsaid') || !note.flags.includes('next_failed')) return undefined;
  return whoseOf(note);
}

function observeLeft(row: CallRow, note: RolloutNote): Observation {
  const observation: Observation = { ...whoseOf(note), left: true };
  const atLeast: AtLeast = { latencyMs: row.latency_ms };
  if (row.stream === 1 && row.first_token_ms !== null) observation.firstTokenMs = row.first_token_ms;
  else if (row.stream === 1) atLeast.firstTokenMs = row.latency_ms;
  return { ...observation, atLeast };
}

/** Whose call it was, as its note says. */
export function whoseOf({ side, user, flags }: RolloutNote): Whose {
  return { side, user, isByRule: flags.includes('by_rule') };
}

/** Of a judge's call, what it says of both sides. */
export function readJudged({ rollout }: CallRow): Pick<RolloutNote, 'scores'> | undefined {
  const note = rollout === null ? undefined : readRolloutNote(rollout);
  return note?.flags.includes('judged') ? note : undefined;
}
