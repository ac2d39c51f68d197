import type { Conversation } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { toolPath } from '../caller-words.ts';
import { legalToolName } from '../legal-tool-name.ts';
import type { ModelTraits } from './model-traits.ts';

/** Source: OpenAI API reference (`FunctionDefinition.name`). */
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const MOST_CHARS = 64;

interface NamingTarget {
  conversation: Conversation;
  traits: ModelTraits;
  sameDialect: boolean;
}

/** A caller of the same dialect gets the API's own words; what servers of its kin take is for them to say. */
function isStrict({ traits, sameDialect }: NamingTarget): boolean {
  return !sameDialect && !traits.openParameters;
}

/** @throws GatewayError `invalid_request` for a name that OpenAI refuses. */
export function checkToolName(target: NamingTarget, name: string, index: number): void {
  if (!isStrict(target) || TOOL_NAME.test(name)) return;
  const path = toolPath(target.conversation, index, 'name');
  throw invalidRequest(
    `'${path}' is ${JSON.stringify(name.slice(0, 140))}: for the model this call goes to, a tool's name may hold letters, digits, '_' and '-', at most ${MOST_CHARS} of them.`,
    path,
    'invalid_value',
  );
}

/** The name of a call that was made: names that a model made up stand in histories too, and the API checks them all. */
export function calledName(target: NamingTarget, name: string): string {
  return isStrict(target) ? legalToolName(name, MOST_CHARS) : name;
}
