import type { ChatQuirks, FieldRule } from '../../src/dialects/chat/quirks.ts';
import { isOccasional, isRenaming } from '../../src/dialects/chat/rule-outcome.ts';
import { declarationOf } from '../../test/sdk/matrix/expected.ts';
import { PROVIDER_KINDS } from '../../test/sdk/matrix/providers.ts';
import { code, codes, table } from './markdown.ts';

/** What the declarations of OpenAI's kin say about single fields. */
export function renderQuirks(): string {
  const declared = new Map(PROVIDER_KINDS.map(({ adapter }) => [adapter, declarationOf(adapter)]));
  const rows = [...declared.values()].flatMap(({ title, quirks }) =>
    quirks ? [describe(title, quirks)] : [],
  );
  return `## Fields of OpenAI's kin

What providers that speak Chat Completions do differently with single fields ([providers.md](providers.md) has more). "By its value": kept, changed, dropped or refused by what it
says and by the model, as the file in \`providers/\` has it.

${table(['provider', 'renamed', 'dropped', 'refused', 'by its value', 'messages'], rows)}`;
}

function describe(title: string, quirks: ChatQuirks): string[] {
  const fields = Object.entries(quirks.fields ?? {});
  const named = (is: (rule: FieldRule) => boolean) =>
    codes(fields.flatMap(([name, rule]) => (is(rule) ? [name] : [])));
  const renamed = fields.flatMap(([name, rule]) => {
    if (!isRenaming(rule)) return [];
    return [`${code(name)} → ${code(rule.as)}${rule.models ? ' (some models)' : ''}`];
  });
  return [
    title,
    renamed.join(', '),
    named((rule) => rule === 'drop'),
    named((rule) => rule === 'refuse'),
    named((rule) => typeof rule === 'function' || isOccasional(rule)),
    describeMessages(quirks).join('; '),
  ];
}

function describeMessages(quirks: ChatQuirks): string[] {
  const {
    instructions,
    toolCallIds,
    reasoning,
    files,
    messageDrops = [],
    continuation,
    alternating,
    thinkTags,
  } = quirks;
  return [
    ...(instructions ? ['`developer` → `system`'] : []),
    ...(toolCallIds ? ['ids of tool calls are nine letters and digits'] : []),
    ...describeReasoning(reasoning),
    ...(messageDrops.length > 0 ? [`${codes(messageDrops)} dropped`] : []),
    ...(files === 'document_url' ? ['files go as `document_url`'] : []),
    ...(files === 'none' ? ['files are refused, but for texts'] : []),
    ...(continuation ? [`a begun answer by ${code(continuation)}`] : []),
    ...(alternating ? ['speakers take turns'] : []),
    ...(quirks.strictTurns === 'every_model' ? [STRICT_TURNS] : []),
    ...(quirks.strictTurns === 'mistrals' ? [`of Mistral’s models: ${STRICT_TURNS}`] : []),
    ...(quirks.toolChoice === 'unread' ? [UNREAD_CHOICE] : []),
    ...(quirks.demandsReasoning ? ['thoughts of other models go, too, or a space for them'] : []),
    ...(quirks.forcedTools ? ['a tool that must be called is called without thinking'] : []),
    ...(quirks.images === 'inline' ? ['images by their address are refused'] : []),
    ...(quirks.texts === 'joined' ? ['texts in a list are one text'] : []),
    ...(quirks.customTools ? ['custom tools are known; elsewhere they are functions'] : []),
    ...(quirks.functions ? ['the deprecated `functions` are known; elsewhere they are tools'] : []),
    ...(quirks.allowedTools
      ? ['choices among some of the tools are known; elsewhere these alone are offered']
      : []),
    ...(thinkTags ? ['thoughts in `<think>` tags are read'] : []),
  ];
}

const UNREAD_CHOICE = 'a tool that must be called is offered alone: `tool_choice` is not read';

const STRICT_TURNS =
  'the assistant speaks between results of tools and the user, who says what instructs behind its turns';

function describeReasoning(reasoning: ChatQuirks['reasoning']): string[] {
  if (reasoning === undefined) return [];
  if (typeof reasoning === 'function') return ['thoughts go back by the model'];
  return [reasoning === 'none' ? 'thoughts do not go back' : `thoughts go back in ${code(reasoning)}`];
}
