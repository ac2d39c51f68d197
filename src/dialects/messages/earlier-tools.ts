import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { Adaptation } from '../bridge.ts';
import { describeEditor } from './client-tools.ts';
import type { ModelTraits } from './model-traits.ts';

/*
 * Tools of Anthropic's own whose versions newer models refuse. The shell has another version by the same name, so that its word is
 * replaced. The text editor has another name and one command less: a client that was written for it gets it as a tool of its own, so that
 * calls come by the name and with the commands that it knows.
 *
 * Sources: Anthropic docs, "Text editor tool" and "Bash tool" (versions by model, parameters of each command), "Migrating to Claude 4".
 */

const BEFORE_CLAUDE_4 = /^text_editor_202(?:41022|50124)$/;
const EARLIER_BASH = 'bash_20241022';
const BASH = 'bash_20250124';

const SOUGHT = ['text_editor_20241022', 'text_editor_20250124', EARLIER_BASH].map((word) =>
  Buffer.from(word),
);

/** Whether a list of tools may hold any of these. */
export function saysRenamedTools(tools: Buffer): boolean {
  return SOUGHT.some((word) => tools.includes(word));
}

/** Writes tools as the model takes them. */
export function renameTools(
  adaptation: Adaptation,
  tools: JsonValue,
  { takesEarlierTools }: ModelTraits,
): void {
  if (takesEarlierTools || !Array.isArray(tools)) return;
  const written = tools.map((tool, index) => {
    const type = isObject(tool) ? tool['type'] : undefined;
    if (!isObject(tool) || typeof type !== 'string') return tool;
    if (type === EARLIER_BASH) {
      adaptation.rename(`tools[${index}].type`, BASH);
      return { ...tool, type: BASH };
    }
    if (!BEFORE_CLAUDE_4.test(type)) return tool;
    adaptation.rename(`tools[${index}].type`, 'custom');
    return asOwnTool(tool);
  });
  if (written.some((tool, index) => tool !== tools[index])) adaptation.write('tools', written);
}

function asOwnTool({ type: _, name, ...rest }: JsonObject): JsonObject {
  const { description, schema } = describeEditor(true);
  return { name: name ?? 'str_replace_editor', description, input_schema: schema, ...rest };
}
