import type { Usage } from '../conversation/usage.ts';
import { isSameModel, mayAnswerOther } from '../dialects/named-models.ts';
import type { Call } from './call.ts';

/** Whether it is to be looked at which model answers: nearly no request lets the provider choose. */
export function mayOtherAnswer({ door, spans, words }: Call): boolean {
  return door.operation === 'generate' && mayAnswerOther(door.dialect.name, spans, words);
}

/** A usage that says whose it is, where its answer names another model than was called. */
export function ofAnswering(call: Call, usage: Usage, answered: string | undefined): Usage {
  const called = call.target?.model;
  if (!answered || called === undefined || usage.model !== undefined) return usage;
  return isSameModel(answered, called) ? usage : { ...usage, model: answered };
}
