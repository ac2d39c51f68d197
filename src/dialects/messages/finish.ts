import type { FinishReason } from '../../conversation/completion.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { JSON_OUTPUT_TOOL } from '../reserved-tools.ts';

/** What an answer's tool uses say about why it ended. */
export class ToolUses {
  #calledTool = false;
  #wroteJson = false;

  /** @param name of a tool that the model itself called */
  add(name: JsonValue | undefined): void {
    if (name === JSON_OUTPUT_TOOL) this.#wroteJson = true;
    else this.#calledTool = true;
  }

  /** The same for a block of Anthropic's, which may be none of the kind. */
  addBlock(block: JsonValue): void {
    if (!isObject(block) || block['type'] !== 'tool_use') return;
    if (block['name'] === JSON_OUTPUT_TOOL || isModelsCall(block)) this.add(block['name']);
  }

  /**
   * A turn that calls a tool ends with `tool_calls`, whatever the provider says (some say `end_turn`); one that
   * "called" only the tool which stands for a JSON answer has simply stopped.
   */
  finish(reason: FinishReason): FinishReason {
    if (this.#calledTool) return reason === 'stop' || reason === 'other' ? 'tool_calls' : reason;
    return reason === 'tool_calls' && this.#wroteJson ? 'stop' : reason;
  }
}

/**
 * Calls that code on the provider's side made ("Programmatic tool calling") may be answered within the same
 * message: only the stop reason knows whether they wait for the client.
 */
function isModelsCall(block: JsonObject): boolean {
  const { caller } = block;
  return !isObject(caller) || caller['type'] === 'direct';
}
