/**
 * Two kinds of tool exist only on our way to the provider, and decoders know them by their names alone, because
 * an answer is decoded without its request:
 *
 * - A JSON answer from a model without structured outputs is asked for as a call of one forced tool, whose input
 *   is the answer. It is given back as text.
 * - A tool that takes free text (OpenAI `custom`) becomes a function with one string, `input`. Its call is given
 *   back as the call of a custom tool with that text.
 */
export const JSON_OUTPUT_TOOL = 'fairlead_json_output';

const CUSTOM_TOOL_PREFIX = 'fairlead_custom_';

/** A name that a caller's own tool may not have. */
export function isReservedToolName(name: string): boolean {
  return name === JSON_OUTPUT_TOOL || name.startsWith(CUSTOM_TOOL_PREFIX);
}

export function customToolName(name: string): string {
  return CUSTOM_TOOL_PREFIX + name;
}

/** The caller's name of a custom tool; `undefined` where the tool is none. */
export function readCustomToolName(name: string): string | undefined {
  return name.startsWith(CUSTOM_TOOL_PREFIX) ? name.slice(CUSTOM_TOOL_PREFIX.length) : undefined;
}

/** The free text in the input of a custom tool; all of the input where the model left the form. */
export function readCustomToolText(input: unknown): string {
  if (typeof input === 'object' && input !== null && 'input' in input && typeof input.input === 'string') {
    return input.input;
  }
  return JSON.stringify(input);
}
