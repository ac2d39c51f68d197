import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { isBase64, sniffImage } from '../media.ts';
import type { Signer } from '../signatures.ts';
import { objectsOf } from '../values.ts';
import { invalid, modelError } from './errors.ts';
import { bedrockFamily } from './models.ts';

/** Rules about messages that go beyond the shape of one field. Run after the shape was found good. */
export function checkMessages(model: string, body: JsonObject, signer: Signer): void {
  const messages = objectsOf(body['messages']);
  checkRoles(model, messages);
  for (const [index, message] of messages.entries()) checkContent(model, message, `messages.${index}`);
  for (const [index, block] of objectsOf(body['system']).entries()) {
    checkOneMember(block, `system.${index}`);
    checkText(block, 'SystemContentBlock', `system.${index}`);
    // anthropics/claude-code#24168
    if (String(block['text']).includes('x-anthropic-billing-header'))
      throw modelError(
        'x-anthropic-billing-header is a reserved keyword and may not be used in the system prompt.',
      );
  }
  checkDocuments(messages);
  checkToolPairs(messages);
  checkToolConfig(body, messages);
  checkSignatures(messages, signer);
}

/** microsoft/semantic-kernel#10281 and langchain-ai/langchain-aws#130 for the words. */
function checkRoles(model: string, messages: readonly JsonObject[]): void {
  if (messages[0]?.['role'] !== 'user') {
    throw invalid(
      'A conversation must start with a user message. Try again with a conversation that starts with a user message.',
    );
  }
  for (const [index, { role }] of messages.entries()) {
    if (role === 'system') {
      // agentgateway and envoy report the same of a system role; the newest models take it, none of ours here.
      throw invalid(`messages.${index}: the role system is not supported by this model.`);
    }
    if (index > 0 && messages[index - 1]?.['role'] === role) {
      throw invalid(
        'A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.',
      );
    }
  }
  if (messages.at(-1)?.['role'] === 'assistant' && !bedrockFamily(model).prefill) {
    throw modelError(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  }
}

function checkContent(model: string, { role, content }: JsonObject, place: string): void {
  const blocks = objectsOf(content);
  if (blocks.length === 0) {
    throw invalid(
      `The content field in the Message object at ${place} is empty. Add a ContentBlock object to the content field and try again.`,
    );
  }
  for (const [index, block] of blocks.entries()) {
    const at = `${place}.content.${index}`;
    checkOneMember(block, at);
    checkText(block, 'ContentBlock', at);
    checkPlace(block, String(role), at);
    checkMedium(block, at);
    if (isObject(block['toolUse']) && !isObject(block['toolUse']['input'])) {
      // agentgateway#3002
      throw modelError(`${at}.tool_use.input: Input should be a valid dictionary`);
    }
    if (isObject(block['toolResult'])) checkToolResult(model, block['toolResult'], at);
  }
}

/** Unions of AWS's APIs: one member, no more, no less. */
export function checkOneMember(union: JsonValue | undefined, place: string): void {
  const members = isObject(union) ? Object.keys(union) : [];
  if (members.length === 1) return;
  throw invalid(`The union at ${place} must have exactly one member, not ${members.length}.`);
}

function checkText(block: JsonObject, type: string, place: string): void {
  const { text } = block;
  if (typeof text !== 'string' || text.trim() !== '') return;
  // aws-samples/bedrock-engineer#8
  throw invalid(
    `The text field in the ${type} object at ${place} is blank. Add text to the text field, and try again.`,
  );
}

const ROLE_OF_MEMBER: Readonly<Record<string, string>> = {
  toolUse: 'assistant',
  reasoningContent: 'assistant',
  citationsContent: 'assistant',
  image: 'user',
  document: 'user',
  video: 'user',
  audio: 'user',
};

function checkPlace(block: JsonObject, role: string, place: string): void {
  const [member = ''] = Object.keys(block);
  const owner = ROLE_OF_MEMBER[member];
  // What Bedrock itself ran stands in the assistant's message (recorded).
  const isServerResult = isObject(block['toolResult']) && block['toolResult']['type'] !== undefined;
  if (member === 'toolResult' && role !== 'user' && !isServerResult) {
    throw invalid(`${place}: toolResult blocks can only be in user messages.`);
  }
  if (owner !== undefined && owner !== role) {
    throw invalid(`${place}: ${member} blocks can only be in ${owner} messages.`);
  }
}

function checkMedium(block: JsonObject, place: string): void {
  for (const kind of ['image', 'document', 'video', 'audio']) {
    const medium = block[kind];
    if (!isObject(medium)) continue;
    checkOneMember(medium['source'], `${place}.${kind}.source`);
    const bytes = isObject(medium['source']) ? medium['source']['bytes'] : undefined;
    if (bytes === undefined) continue;
    if (!isBase64(String(bytes))) throw invalid(`${place}.${kind}.source.bytes: invalid base64`);
    const sniffed = kind === 'image' ? sniffImage(String(bytes)) : undefined;
    if (kind === 'image' && sniffed !== `image/${medium['format']}`) {
      throw modelError(`${place}.${kind}: the image does not match the provided format ${medium['format']}`);
    }
  }
}

function checkToolResult(model: string, result: JsonObject, place: string): void {
  const content = objectsOf(result['content']);
  for (const [index, block] of content.entries()) {
    const at = `${place}.toolResult.content.${index}`;
    checkOneMember(block, at);
    checkText(block, 'ToolResultContentBlock', at);
    checkMedium(block, at);
  }
  if (result['status'] === 'error' && content.length === 0) {
    // aws-samples/sample-multi-agent-orchestration-chat-on-agentcore#15
    throw invalid(`The content field at ${place}.toolResult cannot be empty when status value is error.`);
  }
  if (result['status'] !== undefined && !bedrockFamily(model).resultStatus) {
    throw invalid(
      "This model doesn't support the toolResult.status field. Remove toolResult.status and try again.",
    );
  }
}

const DOCUMENT_NAME = /^(?!.*\s\s)[A-Za-z0-9\s\-()[\]]+$/;

/** maximhq/bifrost#7003, anomalyco/opencode#19964, aws-samples/generative-ai-use-cases#1685 */
function checkDocuments(messages: readonly JsonObject[]): void {
  const names = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const blocks = objectsOf(message['content']);
    const results = blocks.flatMap(({ toolResult }) =>
      isObject(toolResult) ? objectsOf(toolResult['content']) : [],
    );
    for (const { document } of [...blocks, ...results]) {
      if (!isObject(document)) continue;
      const name = String(document['name']);
      if (!DOCUMENT_NAME.test(name)) {
        throw invalid(
          "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
        );
      }
      if (names.has(name)) {
        throw invalid(
          "Messages can't contain duplicate document names. Rename the document and retry your request.",
        );
      }
      names.add(name);
    }
    if (blocks.some(hasDocument) && !blocks.some(({ text, toolResult }) => text ?? toolResult)) {
      // API reference, `Message.content`; the service's own words are not public.
      throw invalid(`messages.${index}: a message with a document must also have a text block.`);
    }
  }
  if (names.size > 5) throw invalid("You can't include more than 5 documents in a request.");
}

function hasDocument({ document }: JsonObject): boolean {
  return document !== undefined;
}

/** pydantic/pydantic-ai#2327 and vercel/ai#17400 for the words. */
function checkToolPairs(messages: readonly JsonObject[]): void {
  const seen = new Set<string>();
  for (const [index, { role, content }] of messages.entries()) {
    const blocks = objectsOf(content);
    const place = `messages.${index}.content`;
    if (role === 'assistant') {
      for (const id of callIds(blocks)) {
        if (seen.has(id)) throw modelError(`${place}: \`tool_use\` ids must be unique`);
        seen.add(id);
      }
      continue;
    }
    const before = objectsOf(messages[index - 1]?.['content']);
    const called = callIds(before);
    const answered = blocks.flatMap(({ toolResult }) =>
      isObject(toolResult) ? [String(toolResult['toolUseId'])] : [],
    );
    if (answered.length > called.length) {
      throw invalid(
        `The number of toolResult blocks at ${place} exceeds the number of toolUse blocks of previous turn.`,
      );
    }
    const open = called.filter((id) => !answered.includes(id));
    if (open.length > 0) {
      throw invalid(`Expected toolResult blocks at ${place} for the following Ids: ${open.join(', ')}`);
    }
    const lastResult = blocks.findLastIndex(({ toolResult }) => toolResult !== undefined);
    const isFirst = blocks
      .slice(0, lastResult + 1)
      .every(({ toolResult, cachePoint }) => toolResult !== undefined || cachePoint !== undefined);
    if (!isFirst) throw modelError(`${place}: \`tool_result\` blocks must come first`);
  }
}

function callIds(blocks: readonly JsonObject[]): string[] {
  return blocks.flatMap(({ toolUse }) =>
    isObject(toolUse) && toolUse['type'] !== 'server_tool_use' ? [String(toolUse['toolUseId'])] : [],
  );
}

/** vxcontrol/pentagi#166 */
function checkToolConfig(body: JsonObject, messages: readonly JsonObject[]): void {
  if (body['toolConfig'] !== undefined) return;
  const usesTools = messages.some(({ content }) =>
    objectsOf(content).some(({ toolUse, toolResult }) => toolUse ?? toolResult),
  );
  if (!usesTools) return;
  throw invalid('The toolConfig field must be defined when using toolUse and toolResult content blocks.');
}

function checkSignatures(messages: readonly JsonObject[], signer: Signer): void {
  for (const [index, { content }] of messages.entries()) {
    for (const [at, { reasoningContent }] of objectsOf(content).entries()) {
      if (!isObject(reasoningContent)) continue;
      checkOneMember(reasoningContent, `messages.${index}.content.${at}.reasoningContent`);
      const { reasoningText } = reasoningContent;
      if (!isObject(reasoningText)) continue;
      const { text, signature } = reasoningText;
      if (typeof signature !== 'string' || !signer.isValid(String(text), signature)) {
        throw modelError(`messages.${index}.content.${at}: Invalid \`signature\` in \`thinking\` block`);
      }
    }
  }
}
