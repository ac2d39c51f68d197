import type { Conversation, DialectName, ToolChoice } from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { callerWord } from './caller-words.ts';

export interface OfferedTools {
  /** The conversation with a choice among the tools that can be offered. */
  conversation: Conversation;
  /** What of the choice is not said, in the caller's words. */
  unsaid: string[];
}

/**
 * Fits the tool choice to the tools that a provider of `dialect` can be offered: those that other providers run themselves
 * are left out there, and a choice must not name them.
 *
 * @param others names of further tools that it is offered, which only another dialect knows
 * @param narrows it is offered the allowed tools alone: a choice among none of them is not its to judge, whoever the caller
 * @throws GatewayError `invalid_request` where a call is demanded that cannot be made: the answer would be another.
 */
export function offerTools(
  conversation: Conversation,
  dialect: DialectName,
  narrows = false,
  others: readonly string[] = [],
): OfferedTools {
  const { toolChoice: choice } = conversation;
  if (!choice) return { conversation, unsaid: [] };
  const isForProvider = conversation.dialect === dialect && !(narrows && choice.type === 'allowed');
  if (isForProvider) return { conversation, unsaid: [] };
  const named = conversation.tools.flatMap((tool) => (tool.type === 'opaque' ? [] : [tool.name]));
  const offered = new Set([...named, ...others]);
  const fitted = fitChoice(conversation, choice, offered);
  if (fitted === choice) return { conversation, unsaid: [] };
  const { toolChoice: _, ...rest } = conversation;
  return {
    conversation: fitted ? { ...rest, toolChoice: fitted } : rest,
    unsaid: [callerWord(conversation, 'toolChoice')],
  };
}

/** The same choice where nothing of it is concerned; `undefined` where none is left. */
function fitChoice(
  conversation: Conversation,
  choice: ToolChoice,
  offered: ReadonlySet<string>,
): ToolChoice | undefined {
  switch (choice.type) {
    case 'none':
      return choice;
    case 'auto':
      return offered.size === 0 && conversation.tools.length > 0 ? undefined : choice;
    case 'required':
      if (offered.size === 0) throw refusedChoice(conversation, 'a tool call, but there is no tool to call');
      return choice;
    case 'tool':
      if (!offered.has(choice.name)) throw refusedTool(conversation, choice.name);
      return choice;
    case 'allowed':
      return fitAllowed(conversation, choice, offered);
    case 'opaque':
      // One of OpenAI's own tools, which must be called.
      if (choice.dialect === 'responses') throw refusedTool(conversation, String(choice.value['type']));
      return choice;
    default:
      return choice satisfies never;
  }
}

type Allowed = Extract<ToolChoice, { type: 'allowed' }>;

function fitAllowed(
  conversation: Conversation,
  choice: Allowed,
  offered: ReadonlySet<string>,
): ToolChoice | undefined {
  const names = choice.names.filter((name) => offered.has(name));
  if (names.length === choice.names.length && names.length > 0) return choice;
  if (names.length > 0) return { ...choice, names };
  if (choice.mode === 'required')
    throw refusedChoice(conversation, 'a tool call, but none of its tools can be called');
  // The other tools, which it does not allow, must not be called in their place.
  return offered.size > 0 ? { type: 'none' } : undefined;
}

function refusedTool(conversation: Conversation, name: string): Error {
  return refusedChoice(
    conversation,
    `a call of '${name.slice(0, 140)}', which the model this call goes to cannot be offered`,
  );
}

function refusedChoice(conversation: Conversation, what: string): Error {
  const word = callerWord(conversation, 'toolChoice');
  return invalidRequest(
    `'${word}' demands ${what}. Choose another tool or another model.`,
    word,
    'unsupported_parameter',
  );
}
