import { demandsCall } from './forced-tools.ts';
import type { ChatQuirks, FieldQuirks } from './quirks.ts';

/** The rules of a provider's fields with one for what a request does not say: it is written beside the model's name, which every request says. */
export function withUnsaid(fields: FieldQuirks, unsaid: ChatQuirks['unsaid']): FieldQuirks {
  if (!unsaid) return fields;
  return {
    ...fields,
    model: (said, model, beside) => {
      const written = demandsCall(beside('tool_choice')) ? undefined : unsaid(model, beside);
      return written ? { model: said, ...written } : 'keep';
    },
    // Whether the answer is a stream is to be known.
    stream: () => 'keep',
  };
}
