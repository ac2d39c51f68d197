import { headerText } from '../gateway/name-dropped.ts';
import { deprecationHeaders } from '../gateway/retire-model.ts';
import type { PublishedPrompt } from '../prompts/prompt-book.ts';
import { promptPath } from '../prompts/prompt-path.ts';

/** The headers of a prompt's answers: which version it was, and, where it is on its way out, until when and what to call instead. */
export function promptHeaders({ version, successor }: PublishedPrompt): string[] {
  const { name, number, state, stateAt, retiresAt } = version;
  const own = ['x-fairlead-prompt', headerText(`${name}@${number}`)];
  if (state !== 'deprecated' || retiresAt === undefined) return own;
  const path = successor === undefined ? undefined : promptPath(successor);
  return [...own, ...deprecationHeaders(retiresAt, stateAt, path)];
}
