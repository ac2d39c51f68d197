import type { FinishReason } from '../../conversation/completion.ts';
import { readFinishReason } from '../finish-reasons.ts';
import { JSON_OUTPUT_TOOL } from '../messages/reserved-tools.ts';

/** What an answer's tool calls say about why it ended. */
export class ToolUses {
  #calledTool = false;
  #wroteJson = false;

  /** @param name of a tool that the model itself called */
  add(name: string): void {
    if (name === JSON_OUTPUT_TOOL) this.#wroteJson = true;
    else this.#calledTool = true;
  }

  /**
   * A turn that calls a tool ends with `tool_calls`, whatever the model says; one that "called" only the tool which
   * stands for a JSON answer has simply stopped.
   */
  finish(stopReason: string): FinishReason {
    const reason = readFinishReason('converse', stopReason);
    if (this.#calledTool) return reason === 'stop' || reason === 'other' ? 'tool_calls' : reason;
    return reason === 'tool_calls' && this.#wroteJson ? 'stop' : reason;
  }
}
