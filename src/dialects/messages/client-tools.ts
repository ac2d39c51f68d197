import type { Conversation, Tool } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { standingFor } from '../places.ts';
import { decodeCacheHint, extraOf, unknownFields } from './fields.ts';

/*
 * Tools of Anthropic's own types that the caller runs: a shell, an editor, a memory, a computer. Claude knows what they take by their types alone.
 * To any other model they are functions, whose schemas say the same; calls of them come by the name and with the input that the caller knows.
 *
 * Sources: Anthropic docs, "Bash tool", "Text editor tool", "Memory tool", "Computer use tool" (commands, actions and parameters by version); the types of
 * `@anthropic-ai/sdk` (`BetaMemoryTool20250818Command`); anthropics/anthropic-sdk-python#1155 (from Claude 4 on, `insert` has `insert_text`).
 */

const CLIENT_TOOL = /^(bash|computer|memory|text_editor)_(\d{8})$/;

/** Whether a tool is one that the caller runs, of a kind that is known here. */
export function isClientTool(tool: Tool): tool is Tool & { type: 'opaque' } {
  if (tool.type !== 'opaque' || tool.dialect !== 'messages') return false;
  const { type, name } = tool.value;
  return typeof type === 'string' && CLIENT_TOOL.test(type) && typeof name === 'string' && name !== '';
}

/** The conversation with functions in the place of such tools. `isTaken`: those that go on as they are. */
export function withClientFunctions(
  conversation: Conversation,
  isTaken: (tool: Tool) => boolean = () => false,
): Conversation {
  const { tools } = conversation;
  const isConcerned = (tool: Tool) => isClientTool(tool) && !isTaken(tool);
  if (!tools.some(isConcerned)) return conversation;
  return {
    ...conversation,
    tools: tools.map((tool) => (isClientTool(tool) && !isTaken(tool) ? asFunction(tool) : tool)),
  };
}

/** What is said in other words: the type in the schema, the size of the screen in the description. */
const SAID = new Set([
  ...['type', 'name', 'cache_control', 'strict'],
  ...['display_width_px', 'display_height_px', 'enable_zoom'],
]);

function asFunction(tool: Tool & { type: 'opaque' }): Tool {
  const { value } = tool;
  const [, kind = '', version = ''] = CLIENT_TOOL.exec(String(value['type'])) ?? [];
  const { description, schema } = DESCRIBED[kind]?.(value, version) ?? NOTHING;
  const { strict } = value;
  return standingFor(tool, {
    type: 'function',
    name: String(value['name']),
    description,
    schema,
    ...(typeof strict === 'boolean' ? { strict } : {}),
    ...decodeCacheHint(value['cache_control']),
    ...extraOf(unknownFields(value, SAID)),
  });
}

interface Described {
  description: string;
  schema: JsonObject;
}

const NOTHING: Described = { description: '', schema: { type: 'object', properties: {} } };

const DESCRIBED: Record<string, (tool: JsonObject, version: string) => Described> = {
  bash: () => BASH,
  text_editor: (_, version) => describeEditor(version < '20250429'),
  memory: () => MEMORY,
  computer: describeComputer,
};

const text = (description: string): JsonObject => ({ type: 'string', description });

const BASH: Described = {
  description:
    'Runs commands in a shell that goes on between calls, with its folder, variables and files. Commands that wait for input do not work. Say command, or restart, which begins a new shell.',
  schema: {
    type: 'object',
    properties: {
      command: text('What to run. Needed unless the shell is restarted.'),
      restart: { type: 'boolean', description: 'Whether to begin a new shell instead.' },
    },
  },
};

const PATH = text('The path of the file or folder.');
const VIEW_RANGE: JsonObject = {
  type: 'array',
  items: { type: 'integer' },
  description: 'For view of a file: the first line, from 1, and the last; -1 is the end of the file.',
};
const FILE_TEXT = text('For create: what the file holds.');
const OLD_STR = text('For str_replace: what stands there now, exactly.');
const INSERT_LINE: JsonObject = {
  type: 'integer',
  description: 'For insert: the line behind which; 0 is before the first.',
};
const INSERT_TEXT = text('For insert: what is to stand there.');

function command(names: string[]): JsonObject {
  return { type: 'string', enum: names, description: 'What to do.' };
}

/** @param isEarlier of Claude 3.5 and 3.7 */
export function describeEditor(isEarlier: boolean): Described {
  const undo = isEarlier ? ', undo_edit (takes back the last change of a file)' : '';
  const inserted = isEarlier ? 'new_str' : 'insert_text';
  return {
    description: `Views, creates and edits text files. Commands: view (a file with numbered lines, or a folder), create (a file with file_text), str_replace (the one place that old_str stands at, with new_str), insert (${inserted} behind the line insert_line)${undo}.`,
    schema: {
      type: 'object',
      properties: {
        command: command(['view', 'create', 'str_replace', 'insert', ...(isEarlier ? ['undo_edit'] : [])]),
        path: PATH,
        view_range: VIEW_RANGE,
        file_text: FILE_TEXT,
        old_str: OLD_STR,
        new_str: text(`For str_replace${isEarlier ? ' and insert' : ''}: what is to stand there.`),
        insert_line: INSERT_LINE,
        ...(isEarlier ? {} : { insert_text: INSERT_TEXT }),
      },
      required: ['command', 'path'],
    },
  };
}

const MEMORY: Described = {
  description:
    'Keeps notes in files below /memories that outlive this conversation. Look there before you begin, and write down what will be needed again. Commands: view (a folder, or a file with numbered lines), create (a file with file_text, in place of one that is there), str_replace (the one place that old_str stands at, with new_str), insert (insert_text behind the line insert_line), delete (a file or a folder), rename (old_path to new_path).',
  schema: {
    type: 'object',
    properties: {
      command: command(['view', 'create', 'str_replace', 'insert', 'delete', 'rename']),
      path: text('The path of the file or folder, below /memories. Needed for all but rename.'),
      view_range: VIEW_RANGE,
      file_text: FILE_TEXT,
      old_str: OLD_STR,
      new_str: text('For str_replace: what is to stand there.'),
      insert_line: INSERT_LINE,
      insert_text: INSERT_TEXT,
      old_path: text('For rename: the path as it is.'),
      new_path: text('For rename: the path as it is to be.'),
    },
    required: ['command'],
  },
};

const FIRST_ACTIONS = [
  ...['key', 'type', 'mouse_move', 'left_click', 'left_click_drag', 'right_click', 'middle_click'],
  ...['double_click', 'screenshot', 'cursor_position'],
];
const LATER_ACTIONS = [...['left_mouse_down', 'left_mouse_up', 'triple_click', 'scroll', 'hold_key', 'wait']];

const POINT: JsonObject = { type: 'array', items: { type: 'integer' } };

function describeComputer(tool: JsonObject, version: string): Described {
  const { display_width_px: width, display_height_px: height, enable_zoom: zooms } = tool;
  const isLater = version >= '20250124';
  const hasZoom = version >= '20251124' && zooms === true;
  const size =
    typeof width === 'number' && typeof height === 'number' ? ` of ${width} by ${height} pixels` : '';
  const actions = [...FIRST_ACTIONS, ...(isLater ? LATER_ACTIONS : []), ...(hasZoom ? ['zoom'] : [])];
  return {
    description: `Uses a computer by its mouse, its keyboard and a screen${size}. Coordinates are pixels from the left and from the top. Take a screenshot to see what there is, and after each step to see what came of it.`,
    schema: {
      type: 'object',
      properties: {
        action: { type: 'string', enum: actions, description: 'What to do.' },
        coordinate: {
          ...POINT,
          description: 'Where, as [x, y]: of clicks, mouse_move, scroll, and the end of left_click_drag.',
        },
        text: text(
          'What to type, the key or the keys to press (as xdotool names them: Return, ctrl+s), or the key that is held while clicking or scrolling.',
        ),
        ...(isLater ? LATER_PARAMETERS : {}),
        ...(hasZoom
          ? { region: { ...POINT, description: 'For zoom: the part of the screen, as [x0, y0, x1, y1].' } }
          : {}),
      },
      required: ['action'],
    },
  };
}

const LATER_PARAMETERS: JsonObject = {
  start_coordinate: { ...POINT, description: 'For left_click_drag: where it begins, as [x, y].' },
  scroll_direction: { type: 'string', enum: ['up', 'down', 'left', 'right'], description: 'For scroll.' },
  scroll_amount: { type: 'integer', description: 'For scroll: how many steps of the wheel.' },
  duration: { type: 'number', description: 'For hold_key and wait: seconds.' },
};
