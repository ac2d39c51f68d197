import type { Completion } from '../../conversation/completion.ts';
import { isObject, type JsonValue } from '../../conversation/json.ts';
import { chat } from '../chat/index.ts';
import type { UpstreamDialect } from '../dialect.ts';

/** Text completions as a provider has them; nothing is encoded for it, its callers' bytes go there. */
export const upstreamCompletions: UpstreamDialect = { ...chat, decodeResponse };

/** An answer is as in chat, but that its choices hold texts where those of chat hold messages. */
function decodeResponse(answer: JsonValue): Completion {
  if (!isObject(answer) || !Array.isArray(answer['choices'])) return chat.decodeResponse(answer);
  const choices = answer['choices'].map((choice) => {
    if (!isObject(choice)) return choice;
    const { text = null, logprobs: _, ...rest } = choice;
    return { ...rest, message: { role: 'assistant', content: text } };
  });
  return chat.decodeResponse({ ...answer, choices });
}
