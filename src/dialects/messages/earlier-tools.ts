import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { Adaptation } from '../bridge.ts';
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
  return { name: name ?? 'str_replace_editor', description: DESCRIPTION, input_schema: SCHEMA, ...rest };
}

const DESCRIPTION =
  'Views, creates and edits text files. Commands: view (a file with numbered lines, or a folder), create (a file with file_text), str_replace (the one place that old_str stands at, with new_str), insert (new_str behind the line insert_line), undo_edit (takes back the last change of a file).';

const text = (description: string): JsonObject => ({ type: 'string', description });

const SCHEMA: JsonObject = {
  type: 'object',
  properties: {
    command: {
      type: 'string',
      enum: ['view', 'create', 'str_replace', 'insert', 'undo_edit'],
      description: 'What to do.',
    },
    path: text('The path of the file or folder.'),
    view_range: {
      type: 'array',
      items: { type: 'integer' },
      description: 'For view: the first line, from 1, and the last; -1 is the end of the file.',
    },
    file_text: text('For create: what the file holds.'),
    old_str: text('For str_replace: what stands there now, exactly.'),
    new_str: text('For str_replace and insert: what is to stand there.'),
    insert_line: {
      type: 'integer',
      description: 'For insert: the line behind which; 0 is before the first.',
    },
  },
  required: ['command', 'path'],
};
