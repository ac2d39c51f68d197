import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { isBase64, sniffImage } from '../media.ts';
import { objectsOf } from '../values.ts';
import { invalid } from './errors.ts';
import { claudeFamily } from './models.ts';

/** A message with its content as blocks, and its place in the request. */
export interface PlacedMessage {
  index: number;
  role: string;
  blocks: JsonObject[];
}

/** Rules about messages that go beyond the shape of one field. Run after the shape was found good. */
export function checkMessages(model: string, body: JsonObject): void {
  const messages = placeMessages(body);
  checkRoles(model, messages);
  for (const message of messages) {
    checkEmptiness(message, message.index === messages.length - 1);
    checkBlockPlaces(message);
    checkImages(message);
  }
  checkPrefill(model, messages);
  checkToolPairs(messages);
}

export function placeMessages(body: JsonObject): PlacedMessage[] {
  return objectsOf(body['messages']).map(({ role, content }, index) => ({
    index,
    role: String(role),
    blocks: typeof content === 'string' ? blocksOfText(content) : objectsOf(content),
  }));
}

/** A string is shorthand for one text block (API reference). */
function blocksOfText(text: string): JsonObject[] {
  return text === '' ? [] : [{ type: 'text', text }];
}

function checkRoles(model: string, messages: readonly PlacedMessage[]): void {
  if (messages.length === 0) throw invalid('messages: at least one message is required');
  for (const { role, index } of messages) {
    if (role === 'user' || role === 'assistant') continue;
    if (role === 'system' && claudeFamily(model).systemMessages && index > 0) continue;
    if (role === 'system') {
      // ianarawjo/ChainForge#271
      throw invalid(
        'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
      );
    }
    throw invalid(`messages: Unexpected role "${role}". Allowed roles are "user" or "assistant".`);
  }
  if (messages[0]?.role !== 'user' && !claudeFamily(model).assistantFirst) {
    throw invalid('messages: first message must use the "user" role');
  }
}

function checkEmptiness({ index, role, blocks }: PlacedMessage, last: boolean): void {
  if (blocks.length === 0 && !(last && role === 'assistant')) {
    // claude-code#6774
    throw invalid(
      `messages.${index}: all messages must have non-empty content except for the optional final assistant message`,
    );
  }
  for (const text of textsOf(blocks)) {
    // claude-code#59812
    if (text === '') throw invalid('messages: text content blocks must be non-empty');
    if (text.trim() === '') throw invalid('messages: text content blocks must contain non-whitespace text');
  }
}

/** Texts of a message and of the tool results in it. */
function textsOf(blocks: readonly JsonObject[]): string[] {
  return blocks.flatMap((block) => {
    if (block['type'] === 'text') return [String(block['text'])];
    return block['type'] === 'tool_result' ? textsOf(objectsOf(block['content'])) : [];
  });
}

const ROLE_OF_BLOCK: Readonly<Record<string, string>> = {
  tool_use: 'assistant',
  thinking: 'assistant',
  redacted_thinking: 'assistant',
  tool_result: 'user',
};

function checkBlockPlaces({ index, role, blocks }: PlacedMessage): void {
  for (const { type } of blocks) {
    const owner = ROLE_OF_BLOCK[String(type)];
    if (owner === undefined || owner === role) continue;
    throw invalid(`messages.${index}: \`${type}\` blocks can only be in \`${owner}\` messages`);
  }
}

function checkImages({ index, blocks }: PlacedMessage): void {
  for (const [at, block] of blocks.entries()) {
    checkMedium(block, `messages.${index}.content.${at}`);
    if (block['type'] !== 'tool_result') continue;
    for (const [inner, part] of objectsOf(block['content']).entries()) {
      checkMedium(part, `messages.${index}.content.${at}.tool_result.content.${inner}`);
    }
  }
}

function checkMedium({ type, source }: JsonObject, place: string): void {
  if (!isObject(source) || source['type'] !== 'base64') return;
  const data = String(source['data']);
  const path = `${place}.${type}.source.base64`;
  if (!isBase64(data)) throw invalid(`${path}: invalid base64 data`);
  const sniffed = type === 'image' ? sniffImage(data) : source['media_type'];
  if (sniffed === source['media_type']) return;
  // claude-code#15746
  throw invalid(`${path}.data: Image does not match the provided media type ${source['media_type']}`);
}

function checkPrefill(model: string, messages: readonly PlacedMessage[]): void {
  const last = messages.at(-1);
  if (last?.role !== 'assistant') return;
  if (!claudeFamily(model).prefill) {
    // smallmain/vscode-unify-chat-provider#249
    throw invalid(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  }
  const text = last.blocks.at(-1)?.['text'];
  // crewAI#4620
  if (typeof text === 'string' && text !== text.trimEnd()) {
    throw invalid('messages: final assistant content cannot end with trailing whitespace');
  }
}

/**
 * Every call is answered in the next turn, before anything else there, and nothing else is. Messages of one role in a
 * row are one turn (API reference: "Consecutive `user` or `assistant` turns … will be combined into a single turn").
 */
function checkToolPairs(messages: readonly PlacedMessage[]): void {
  const turns = mergeByRole(messages.filter((message) => message.role !== 'system'));
  const seen = new Set<string>();
  for (const [at, turn] of turns.entries()) {
    if (turn.role === 'assistant') checkAnswered(turn, turns[at + 1], seen);
    else checkResults(turn, turns[at - 1]);
  }
}

interface MergedTurn {
  role: string;
  /** Index of the last message in it: what the API's messages name. */
  index: number;
  blocks: { place: string; block: JsonObject }[];
}

function mergeByRole(messages: readonly PlacedMessage[]): MergedTurn[] {
  const turns: MergedTurn[] = [];
  for (const { role, index, blocks } of messages) {
    const placed = blocks.map((block, at) => ({ place: `messages.${index}.content.${at}`, block }));
    const last = turns.at(-1);
    if (last?.role === role) {
      last.blocks.push(...placed);
      last.index = index;
    } else turns.push({ role, index, blocks: placed });
  }
  return turns;
}

function checkAnswered(turn: MergedTurn, next: MergedTurn | undefined, seen: Set<string>): void {
  const ids = idsOf(turn, 'tool_use', 'id');
  for (const id of ids) {
    if (seen.has(id)) throw invalid('messages: `tool_use` ids must be unique');
    seen.add(id);
  }
  const leading = next ? leadingResults(next) : [];
  const open = ids.filter((id) => !leading.includes(id));
  if (open.length === 0) return;
  // claude-code#8612
  throw invalid(
    `messages.${turn.index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );
}

function checkResults(turn: MergedTurn, before: MergedTurn | undefined): void {
  const called = before ? idsOf(before, 'tool_use', 'id') : [];
  const answered = new Set<string>();
  for (const { place, block } of turn.blocks) {
    if (block['type'] !== 'tool_result') continue;
    const id = String(block['tool_use_id']);
    if (!called.includes(id)) {
      // claude-code#13460
      throw invalid(
        `${place}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    }
    if (answered.has(id)) {
      throw invalid(
        `${place}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${id}`,
      );
    }
    answered.add(id);
  }
}

function idsOf(turn: MergedTurn, type: string, field: string): string[] {
  return turn.blocks.filter(({ block }) => block['type'] === type).map(({ block }) => String(block[field]));
}

/** Results that stand before everything else: later ones do not count as "immediately after". */
function leadingResults(turn: MergedTurn): string[] {
  const end = turn.blocks.findIndex(({ block }) => block['type'] !== 'tool_result');
  const leading = end === -1 ? turn.blocks : turn.blocks.slice(0, end);
  return leading.map(({ block }) => String(block['tool_use_id']));
}
