/** What a call tells of a rollout, beside what its record says anyway. */
export const ROLLOUT_FLAGS = [
  /** It is a copy of a call, which no client saw. */
  'copied',
  /** Whose it is did not come by chance: a cohort's, or one that goes on where its thread began. */
  'by_rule',
  /** It says nothing of its side: that was not asked first, or whoever was asked after it could not answer either. */
  'unsaid',
  /** Its client left before the end: known is how long it had waited. */
  'left',
  /** Its side did not answer it when it was first asked, and another did, or nobody else was asked. */
  'failed',
  'timed_out',
  /** The stable was asked next, and answered. */
  'stood_in',
  /** The stable was asked next, and failed it as well. */
  'next_failed',
  /** A hedge at another of the model's was faster: what it came to is that one's, how long it took at the least its own. */
  'overtaken',
  /** It is known how the answer ended: of the next three, what is not there did not happen. */
  'read',
  'refused',
  'cut_off',
  'filtered',
  /** It was to be JSON, and it is known whether it is what its schema wants. */
  'output_judged',
  'output_invalid',
  /** It calls tools, and it is known whether with what their schemas want. */
  'tools_judged',
  'tools_invalid',
  /** Not a call of a side: a judge was asked to score what both answered. Where its answer could not be read there are no scores. */
  'judged',
] as const;
export type RolloutFlag = (typeof ROLLOUT_FLAGS)[number];

/** Of which rollout a call was, and on which side. */
export interface RolloutNote {
  name: string;
  side: 'stable' | 'candidate';
  /** Of the side that it was for, whoever answered it in the end. */
  flags: readonly RolloutFlag[];
  /** The number of the release, or the version of the prompt, that the side is; absent of a judge's call. */
  release?: number;
  /** What its user is known by (`rollouts/assign.ts`); absent where sides are shared out call by call. */
  user?: number;
  scores?: Scores;
}

/** How good a judge finds what each side answered, from 0 to 1. */
export type Scores = Record<RolloutNote['side'], number>;

const ANOTHERS: readonly RolloutFlag[] = ['unsaid', 'failed', 'overtaken'];

/** Whether its side did not answer it when it was first asked: what the answer says is not for that side to answer for. */
export function isAnsweredByAnother({ flags }: Pick<RolloutNote, 'flags'>): boolean {
  return ANOTHERS.some((flag) => flags.includes(flag));
}

/** As the header says it. */
export function nameSide({ name, side }: Pick<RolloutNote, 'name' | 'side'>): string {
  return `${name}=${side}`;
}

/** What a call is summed under: copies, and what judges were asked, by themselves. */
export function sideOf({ name, side, flags }: RolloutNote): string {
  const what = flags.includes('judged') ? 'judge' : flags.includes('copied') ? 'copy' : side;
  return `${name}=${what}`;
}

/** One text, as the journal and the store have it: `NAME=SIDE FLAG FLAG`, and behind them `release:NUMBER`, `user:NUMBER` and `scores:STABLE:CANDIDATE`. The name of a rollout has neither a blank nor an equals sign. */
export function writeRolloutNote(note: RolloutNote): string {
  const { scores, release, user } = note;
  const words = [nameSide(note), ...note.flags];
  if (release !== undefined) words.push(`release:${release}`);
  if (user !== undefined) words.push(`user:${user}`);
  if (scores) words.push(`scores:${scores.stable}:${scores.candidate}`);
  return words.join(' ');
}

/** `undefined` where it is none that this build knows. */
export function readRolloutNote(text: string): RolloutNote | undefined {
  const [head = '', ...words] = text.split(' ');
  const at = head.lastIndexOf('=');
  const side = head.slice(at + 1);
  if (at < 1 || (side !== 'stable' && side !== 'candidate')) return undefined;
  const flags = ROLLOUT_FLAGS.filter((flag) => words.includes(flag));
  const scores = readScores(words);
  const release = readNumber(RELEASE, words);
  const user = readNumber(USER, words);
  return {
    ...{ name: head.slice(0, at), side, flags },
    ...(release !== undefined && { release }),
    ...(user !== undefined && { user }),
    ...(scores && { scores }),
  };
}

const RELEASE = /^release:([1-9]\d{0,8})$/;
const USER = /^user:(0|[1-9]\d{0,9})$/;

function readNumber(form: RegExp, words: readonly string[]): number | undefined {
  for (const word of words) {
    const [, number] = form.exec(word) ?? [];
    if (number !== undefined) return Number(number);
  }
  return undefined;
}

const SCORES = /^scores:(\d(?:\.\d+)?):(\d(?:\.\d+)?)$/;

function readScores(words: readonly string[]): Scores | undefined {
  for (const word of words) {
    const [, stable, candidate] = SCORES.exec(word) ?? [];
    if (candidate !== undefined) return { stable: Number(stable), candidate: Number(candidate) };
  }
  return undefined;
}
