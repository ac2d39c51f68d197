import type { ToolNameRule } from '../legal-names.ts';

const MOST_CHARS = 64;

/**
 * The API refuses any other name. Its reference allows 128 characters, but it has been seen to refuse more than 64.
 *
 * Source: Gemini API reference, `FunctionDeclaration.name`.
 */
const FUNCTION_NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/;

export const TOOL_NAMES: ToolNameRule = {
  pattern: FUNCTION_NAME,
  most: MOST_CHARS,
  emulatesCustomTools: true,
};

/** Names that a model made up stand in histories too, and the API checks them all. */
export function legalFunctionName(name: string): string {
  if (FUNCTION_NAME.test(name)) return name;
  const legal = name.replace(/[^a-zA-Z0-9_.:-]/g, '_').slice(0, MOST_CHARS);
  return FUNCTION_NAME.test(legal) ? legal : `_${legal}`.slice(0, MOST_CHARS);
}
