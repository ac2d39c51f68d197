/**
 * The API refuses any other name. It has been seen to refuse more than 64 characters, but its reference allows 128:
 * whether one in between is good is for the API to say.
 *
 * Source: Gemini API reference, `FunctionDeclaration.name`.
 */
const FUNCTION_NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/;

const SAFE_LENGTH = 64;

export function isFunctionName(name: string): boolean {
  return FUNCTION_NAME.test(name);
}

/** Names that a model made up stand in histories too, and the API checks them all. */
export function legalFunctionName(name: string): string {
  if (isFunctionName(name)) return name;
  const legal = name.replace(/[^a-zA-Z0-9_.:-]/g, '_').slice(0, SAFE_LENGTH);
  return isFunctionName(legal) ? legal : `_${legal}`.slice(0, SAFE_LENGTH);
}
