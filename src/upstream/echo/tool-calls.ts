import type { Conversation, Tool, ToolCallPart, ToolChoice } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { makeInstance } from './json-instance.ts';
import type { LastTurn } from './last-turn.ts';

type CallableTool = Exclude<Tool, { type: 'opaque' }>;

/** The schema of a function that states none. */
const NO_ARGUMENTS = { type: 'object' };

/**
 * The tool calls that the echo model answers with: the tool that it must call, or those whose names the user's
 * last message says; none after the tools have answered, unless one is required.
 *
 * @throws GatewayError `invalid_request` where the demanded tool is not there, or its schema cannot be filled.
 */
export function planToolCalls(conversation: Conversation, turn: LastTurn, choice: number): ToolCallPart[] {
  const chosen = chooseTools(conversation, turn);
  const tools = conversation.parallelToolCalls === false ? chosen.slice(0, 1) : chosen;
  return tools.map((tool, index) => ({
    type: 'tool_call',
    // The number of messages grows with every round, so an id is never used twice in a conversation.
    id: `call_echo_${conversation.messages.length}_${choice}_${index}`,
    name: tool.name,
    kind: tool.type,
    arguments: writeArguments(tool, conversation, turn),
  }));
}

function chooseTools(conversation: Conversation, turn: LastTurn): CallableTool[] {
  const callable = conversation.tools.filter((tool) => tool.type !== 'opaque');
  const toolChoice: ToolChoice = conversation.toolChoice ?? { type: 'auto' };
  switch (toolChoice.type) {
    case 'none':
      return [];
    case 'auto':
      return chooseMentioned(callable, turn);
    case 'required':
      return chooseAtLeastOne(callable, turn);
    case 'tool':
      return chooseAtLeastOne(pickNamed(callable, [toolChoice.name]), turn);
    case 'allowed': {
      const allowed = pickNamed(callable, toolChoice.names);
      return toolChoice.mode === 'required'
        ? chooseAtLeastOne(allowed, turn)
        : chooseMentioned(allowed, turn);
    }
    case 'opaque':
      throw invalidRequest('The echo model does not know this kind of tool choice.', 'tool_choice');
    default:
      return toolChoice satisfies never;
  }
}

function chooseMentioned(tools: CallableTool[], turn: LastTurn): CallableTool[] {
  if (turn.toolAnswers !== undefined) return [];
  return tools.filter(({ name }) => saysWord(turn.userText, name));
}

function chooseAtLeastOne(tools: CallableTool[], turn: LastTurn): CallableTool[] {
  const mentioned = chooseMentioned(tools, turn);
  const chosen = mentioned.length > 0 ? mentioned : tools.slice(0, 1);
  if (chosen.length > 0) return chosen;
  throw invalidRequest("A tool call is required, but 'tools' has none that can be called.", 'tool_choice');
}

function pickNamed(tools: CallableTool[], names: readonly string[]): CallableTool[] {
  for (const name of names) {
    if (tools.some((tool) => tool.name === name)) continue;
    throw invalidRequest(`'tool_choice' names the tool '${name}', which is not in 'tools'.`, 'tool_choice');
  }
  return tools.filter(({ name }) => names.includes(name));
}

/** Whether a name stands in a text by itself, not as a piece of a longer word. */
function saysWord(text: string, name: string): boolean {
  if (name === '') return false;
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + name.length)) {
    const before = text.slice(Math.max(0, at - 1), at);
    const after = text.slice(at + name.length, at + name.length + 1);
    if (!isWordCharacter(before) && !isWordCharacter(after)) return true;
  }
  return false;
}

function isWordCharacter(character: string): boolean {
  return /[\p{L}\p{N}_-]/u.test(character);
}

function writeArguments(tool: CallableTool, conversation: Conversation, turn: LastTurn): string {
  const path = `tools[${conversation.tools.indexOf(tool)}]`;
  if (tool.type === 'function') {
    const instance = makeInstance(tool.schema ?? NO_ARGUMENTS, turn.userText, `${path}.function.parameters`);
    return JSON.stringify(instance);
  }
  if (tool.format === undefined || tool.format['type'] === 'text') return turn.userText;
  throw invalidRequest('The echo model cannot write by a grammar.', `${path}.custom.format`);
}
