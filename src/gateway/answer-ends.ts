import type { Choice, Completion, CompletionEvent, FinishReason } from '../conversation/completion.ts';

/**
 * How the provider says that the choices of an answer ended, by their number. A client of another dialect may be told several of these in one
 * word: a chat client `content_filter` of a refusal, a client of Anthropic's `refusal` of what a filter stopped.
 */
export type AnswerEnds = Map<number, FinishReason>;

/** A choice that refuses ends so: OpenAI's say `stop` of it. */
export function endOf({ finish, parts }: Pick<Choice, 'finish' | 'parts'>): FinishReason {
  return parts.some(({ type }) => type === 'refusal') ? 'refusal' : finish;
}

export function endsOf({ choices }: Pick<Completion, 'choices'>): AnswerEnds {
  return new Map(choices.map((choice) => [choice.index, endOf(choice)]));
}

/** The same of a stream, event by event. */
export function noteEnd(ends: AnswerEnds, event: CompletionEvent): void {
  if (event.type === 'part_start' && event.value.type === 'refusal') ends.set(event.choice, 'refusal');
  else if (event.type === 'finish' && ends.get(event.choice) !== 'refusal')
    ends.set(event.choice, event.reason);
}

/** An answer as its client got it, with the ends that its provider told. */
export function withEnds(answer: Completion, ends: AnswerEnds | undefined): Completion {
  const choices = answer.choices.map((choice) => ({
    ...choice,
    finish: ends?.get(choice.index) ?? endOf(choice),
  }));
  return { ...answer, choices };
}
