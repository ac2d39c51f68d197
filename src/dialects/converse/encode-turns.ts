import { isObject, type JsonObject } from '../../conversation/json.ts';
import { ToolCallIds } from '../messages/tool-call-ids.ts';
import { TurnList } from '../messages/turn-list.ts';
import { isModelsCall } from './decode-blocks.ts';
import { DocumentNames } from './document-names.ts';
import {
  encodeAssistantPart,
  encodeSystemPart,
  encodeToolCall,
  encodeToolResult,
  encodeUserPart,
} from './encode-blocks.ts';
import type { EncodeContext } from './encode-context.ts';
import { objectOf, textOf } from './fields.ts';

/** A message with a document must have words too. */
const DOCUMENT_WORDS = 'Read the attached document.';

/** Source: Bedrock API reference (`ToolUseBlock.toolUseId`). */
const MAX_ID_LENGTH = 64;

/** The messages of a conversation in the form of the API. */
export class Turns {
  readonly #list: TurnList;

  constructor(context: EncodeContext) {
    const blocks = { ...context, documents: new DocumentNames() };
    const { conversation, dropped } = context;
    this.#list = new TurnList(
      // Whatever the caller speaks, its turns are made to alternate.
      { conversation, dropped, isNative: false },
      {
        system: (part, path) => encodeSystemPart(blocks, part, path),
        user: (part, path) => encodeUserPart(blocks, part, path),
        assistant: (part, path) => encodeAssistantPart(blocks, part, path),
        call: (part, wireId) => encodeToolCall(blocks, part, wireId),
        result: (part, wireId, path) => encodeToolResult(blocks, part, wireId, path),
        text: (text) => ({ text }),
        isText: ({ text }) => typeof text === 'string',
        isCall: isToolUse,
        isReasoning: ({ reasoningContent }) => reasoningContent !== undefined,
        saysNothing: isCachePoint,
        fields: () => ({}),
      },
      new ToolCallIds({ conversation, isNative: false }, MAX_ID_LENGTH),
    );
    this.#addDocumentWords();
  }

  get system(): JsonObject[] {
    return this.#list.system;
  }

  /** Names of the tools that were called, each once, in order. */
  get calledTools(): string[] {
    const calls = this.#list.turns.flatMap(({ blocks }) => blocks.filter(isToolUse));
    return [...new Set(calls.map(({ toolUse }) => textOf(objectOf(toolUse)['name'])))];
  }

  get lostReasoning(): boolean {
    return this.#list.lostReasoning;
  }

  /** @param takesPrefill the model goes on from an assistant's message at the end */
  encode(takesPrefill: boolean): JsonObject[] {
    return this.#list
      .encode(takesPrefill)
      .map(({ role, content }) => ({ role, content: withoutRepeats(content) }));
  }

  #addDocumentWords(): void {
    for (const { role, results, blocks } of this.#list.turns) {
      if (role !== 'user' || !blocks.some(({ document }) => document !== undefined)) continue;
      const hasWords = blocks.some(({ text }) => text !== undefined) || results.length > 0;
      if (!hasWords) blocks.push({ text: DOCUMENT_WORDS });
    }
  }
}

/** A cache point behind another says nothing, nor does one behind nothing (the text before it was empty). */
function withoutRepeats(blocks: JsonObject[]): JsonObject[] {
  return blocks.filter((block, index) => {
    if (!isCachePoint(block)) return true;
    const before = blocks[index - 1];
    return before !== undefined && !isCachePoint(before);
  });
}

function isToolUse({ toolUse }: JsonObject): boolean {
  return isObject(toolUse) && isModelsCall(toolUse);
}

function isCachePoint(block: JsonObject): boolean {
  return block['cachePoint'] !== undefined;
}
