import type { ToolNameRule } from '../legal-names.ts';
import { legalToolName } from '../legal-tool-name.ts';
import type { ModelTraits } from './model-traits.ts';

const MOST_CHARS = 64;

/** Source: OpenAI API reference (`FunctionDefinition.name`); the references of its kin repeat it. */
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

export function toolNameRule(emulatesCustomTools: boolean): ToolNameRule {
  return { pattern: TOOL_NAME, most: MOST_CHARS, emulatesCustomTools };
}

interface NamingTarget {
  traits: ModelTraits;
  sameDialect: boolean;
}

/**
 * The name of a call that was made: names that a model made up stand in histories too, and the API checks them all. A caller of
 * the same dialect gets the API's own words; what servers of its kin take is for them to say.
 */
export function calledName({ traits, sameDialect }: NamingTarget, name: string): string {
  return sameDialect || traits.openParameters ? name : legalToolName(name, MOST_CHARS);
}
