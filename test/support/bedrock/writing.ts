import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import {
  type ModelAnswer,
  type ModelChoice,
  type ModelUsage,
  piecesOf,
  slicesOf,
  totalInput,
  totalOutput,
} from '../fake-model.ts';
import type { Frame, Stream } from '../fake-reply.ts';
import type { Signer } from '../signatures.ts';
import { objectsOf, stringsOf } from '../values.ts';
import { STREAM_EXCEPTION } from './errors.ts';
import { writeEvent, writeException } from './frames.ts';
import { bedrockFamily } from './models.ts';

/** What an answer is written with, beside what the model said. */
export interface Envelope {
  model: string;
  request: JsonObject;
  signer: Signer;
  /** A fresh id for each tool call. */
  nextCallId: () => string;
}

const STOP_REASONS: Readonly<Record<ModelChoice['finish'], string>> = {
  stop: 'end_turn',
  stop_sequence: 'stop_sequence',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  refusal: 'content_filtered',
  blocked: 'guardrail_intervened',
};

/** What a guardrail says in place of the model, unless it is set otherwise. */
const BLOCKED_TEXT = 'Sorry, the model cannot answer this question.';

const NO_CHOICE: ModelChoice = { reasoning: '', text: '', calls: [], finish: 'stop' };

export function writeAnswer(answer: ModelAnswer, envelope: Envelope): JsonObject {
  const choice = answer.choices[0] ?? NO_CHOICE;
  const content = answer.disruption.empty ? [] : writeBlocks(choice, envelope);
  return {
    metrics: { latencyMs: 42 },
    output: { message: { content, role: 'assistant' } },
    stopReason: STOP_REASONS[choice.finish],
    ...writeAdditional(choice, envelope),
    usage: writeUsage(answer.usage),
  };
}

function writeBlocks(choice: ModelChoice, { model, request, signer, nextCallId }: Envelope): JsonObject[] {
  const blocks: JsonObject[] = [];
  const { reasoning, calls } = choice;
  if (reasoning !== '') {
    // Only Claude signs (recorded).
    const isSigned = bedrockFamily(model).reasoning === 'claude';
    const reasoningText = { text: reasoning, ...(isSigned ? { signature: signer.sign(reasoning) } : {}) };
    blocks.push({ reasoningContent: { reasoningText } });
  }
  const text = choice.finish === 'blocked' ? BLOCKED_TEXT : choice.text;
  const citations = citationsOf(request);
  if (text !== '' && citations.length > 0)
    blocks.push({ citationsContent: { content: [{ text }], citations } });
  else if (text !== '') blocks.push({ text });
  // Newer models say so, older ones say nothing (recorded).
  const callType = bedrockFamily(model).structuredOutputs ? { type: 'tool_use' } : {};
  for (const { name, input } of calls)
    blocks.push({ toolUse: { input, name, toolUseId: nextCallId(), ...callType } });
  return blocks;
}

/** Claude is to cite a document or what a search found: the first of each, and its first word, stands behind all that it says. */
function citationsOf({ messages }: JsonObject): JsonObject[] {
  const blocks = objectsOf(messages).flatMap(({ content }) => objectsOf(content));
  const isCited = (medium: JsonValue | undefined): medium is JsonObject =>
    isObject(medium) && isObject(medium['citations']) && medium['citations']['enabled'] === true;
  const documents = blocks.flatMap(({ document }) => (isObject(document) ? [document] : []));
  const results = blocks.flatMap(({ searchResult }) => (isObject(searchResult) ? [searchResult] : []));
  const document = documents.findIndex(isCited);
  const result = results.findIndex(isCited);
  return [
    ...(document === -1 ? [] : [citeDocument(documents[document] ?? {}, document)]),
    ...(result === -1 ? [] : [citeResult(results[result] ?? {}, result)]),
  ];
}

function citeDocument({ name, format, source }: JsonObject, documentIndex: number): JsonObject {
  const { content } = isObject(source) ? source : {};
  const kind = content ? 'documentChunk' : format === 'pdf' ? 'documentPage' : 'documentChar';
  const location = { [kind]: { documentIndex, start: kind === 'documentPage' ? 1 : 0, end: 2 } };
  return { title: name ?? null, sourceContent: [{ text: 'cited' }], location };
}

function citeResult({ title, source }: JsonObject, searchResultIndex: number): JsonObject {
  const location = { searchResultLocation: { searchResultIndex, start: 0, end: 1 } };
  return { title: title ?? null, source: source ?? null, sourceContent: [{ text: 'cited' }], location };
}

/** Fields of the model's own answer, by the JSON pointers that the request asks for (API reference). */
function writeAdditional(choice: ModelChoice, { request }: Envelope): JsonObject {
  const stopSequence = choice.stopSequence ?? null;
  const paths = stringsOf(request['additionalModelResponseFieldPaths']);
  const fields: JsonObject = {
    ...(paths.includes('/stop_sequence') ? { stop_sequence: stopSequence } : {}),
    ...(paths.includes('/delta/stop_sequence') ? { delta: { stop_sequence: stopSequence } } : {}),
  };
  return Object.keys(fields).length > 0 ? { additionalModelResponseFields: fields } : {};
}

/** `inputTokens` leaves out what came from or went to the cache (recorded). */
function writeUsage(usage: ModelUsage): JsonObject {
  const cacheWrite = usage.cacheWrite + usage.cacheWrite1h;
  return {
    cacheReadInputTokenCount: usage.cacheRead,
    cacheReadInputTokens: usage.cacheRead,
    cacheWriteInputTokenCount: cacheWrite,
    cacheWriteInputTokens: cacheWrite,
    ...(usage.cacheWrite1h > 0
      ? {
          cacheDetails: [
            { inputTokens: usage.cacheWrite, ttl: '5m' },
            { inputTokens: usage.cacheWrite1h, ttl: '1h' },
          ],
        }
      : {}),
    inputTokens: usage.input + usage.inputAudio,
    outputTokens: totalOutput(usage),
    serverToolUsage: {},
    totalTokens: totalInput(usage) + totalOutput(usage),
  };
}

/** The events as recorded: text and reasoning have no start, the usage comes after the end, every event is padded. */
export function writeStream(answer: ModelAnswer, envelope: Envelope): Stream {
  const whole = writeAnswer(answer, envelope);
  const choice = answer.choices[0] ?? NO_CHOICE;
  const padding = createPadding();
  const frame = (part: Frame['part'], type: string, body: JsonObject): Frame => ({
    part,
    text: writeEvent(type, { ...body, p: padding() }),
  });
  const blocks = contentOf(whole).flatMap((block, contentBlockIndex) => {
    const { start, deltas } = splitBlock(block);
    return [
      ...(start ? [frame('output', 'contentBlockStart', { contentBlockIndex, start })] : []),
      ...deltas.map((delta) => frame('output', 'contentBlockDelta', { contentBlockIndex, delta })),
      frame('output', 'contentBlockStop', { contentBlockIndex }),
    ];
  });
  const { stopReason, usage, metrics } = whole;
  return {
    frames: [
      frame('start', 'messageStart', { role: 'assistant' }),
      ...blocks,
      frame('end', 'messageStop', { ...writeAdditional(choice, envelope), stopReason }),
      frame('end', 'metadata', { metrics, usage }),
    ],
    error: writeException(STREAM_EXCEPTION.type, STREAM_EXCEPTION.body),
  };
}

function contentOf({ output }: JsonObject): JsonObject[] {
  const message = isObject(output) ? output['message'] : undefined;
  return isObject(message) ? objectsOf(message['content']) : [];
}

function splitBlock(block: JsonObject): { start?: JsonObject; deltas: JsonObject[] } {
  const { text, toolUse, reasoningContent, citationsContent } = block;
  if (isObject(toolUse)) {
    const { input, ...opening } = toolUse;
    const json = JSON.stringify(input);
    // Without arguments there is one empty piece.
    const pieces = json === '{}' ? [''] : slicesOf(json, 7);
    return { start: { toolUse: opening }, deltas: pieces.map((piece) => ({ toolUse: { input: piece } })) };
  }
  if (isObject(reasoningContent) && isObject(reasoningContent['reasoningText'])) {
    const { text: thought, signature } = reasoningContent['reasoningText'];
    return {
      deltas: [
        ...piecesOf(String(thought)).map((piece) => ({ reasoningContent: { text: piece } })),
        ...(signature === undefined ? [] : [{ reasoningContent: { signature } }]),
      ],
    };
  }
  if (isObject(citationsContent)) {
    const texts = objectsOf(citationsContent['content']).flatMap((part) => piecesOf(String(part['text'])));
    const citations = objectsOf(citationsContent['citations']).map((citation) => ({ citation }));
    return { deltas: [...texts.map((piece) => ({ text: piece })), ...citations] };
  }
  return { deltas: piecesOf(String(text)).map((piece) => ({ text: piece })) };
}

/** Bedrock pads its events to hide how long they are: with a beginning of the alphabet, each time of another length. */
function createPadding(): () => string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  let count = 0;
  return () => {
    count += 1;
    return alphabet.slice(0, 1 + ((count * 17) % 61));
  };
}
