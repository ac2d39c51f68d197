import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import {
  countTokens,
  type ModelAnswer,
  type ModelChoice,
  type ModelUsage,
  piecesOf,
  totalInput,
} from '../fake-model.ts';
import type { Frame, Stream } from '../fake-reply.ts';
import type { Signer } from '../signatures.ts';
import { STREAM_ERROR } from './errors.ts';
import { geminiFamily } from './models.ts';
import { signedContent } from './thoughts.ts';

/** What an answer is written with, beside what the model said. */
export interface Envelope {
  id: string;
  model: string;
  request: JsonObject;
  signer: Signer;
  /** A fresh id for each tool call. */
  nextCallId: () => string;
}

/** A call ends with `STOP` like everything else. */
const FINISH: Readonly<Record<ModelChoice['finish'], string>> = {
  stop: 'STOP',
  stop_sequence: 'STOP',
  length: 'MAX_TOKENS',
  tool_calls: 'STOP',
  refusal: 'SAFETY',
  blocked: 'PROHIBITED_CONTENT',
};

export function writeResponse(answer: ModelAnswer, envelope: Envelope): JsonObject {
  const head = writeBlock(answer);
  if (!head) {
    const candidates = answer.choices.map((choice, index) => writeCandidate(choice, index, envelope));
    return writeChunk({ candidates: answer.disruption.empty ? [] : candidates }, answer.usage, envelope);
  }
  return writeChunk(head, { ...answer.usage, output: 0, reasoning: 0 }, envelope);
}

/** A prompt that is blocked has no candidates at all. */
function writeBlock({ choices }: ModelAnswer): JsonObject | undefined {
  return choices[0]?.finish === 'blocked'
    ? { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } }
    : undefined;
}

function writeCandidate(choice: ModelChoice, index: number, envelope: Envelope): JsonObject {
  const candidate: JsonObject = { finishReason: FINISH[choice.finish], index };
  if (choice.calls.length > 0) candidate['finishMessage'] = 'Model generated function call(s).';
  // What safety stops has no content.
  if (choice.finish === 'refusal') return candidate;
  return { content: { parts: writeParts(choice, envelope), role: 'model' }, ...candidate };
}

function writeParts(choice: ModelChoice, envelope: Envelope): JsonObject[] {
  const parts = [...writeThoughts(choice, envelope), ...writeCalls(choice, envelope)];
  if (choice.text === '') return parts;
  const text: JsonObject = { text: choice.text };
  if (choice.reasoning !== '') text['thoughtSignature'] = envelope.signer.sign(signedContent(text));
  return [...parts, text];
}

function writeThoughts({ reasoning }: ModelChoice, { request }: Envelope): JsonObject[] {
  const config = isObject(request['generationConfig']) ? request['generationConfig'] : {};
  const thinking = isObject(config['thinkingConfig']) ? config['thinkingConfig'] : {};
  return thinking['includeThoughts'] === true && reasoning !== '' ? [{ text: reasoning, thought: true }] : [];
}

/** Gemini 3 signs the first of the calls always, earlier models where they thought; Gemini 3 gives calls an id. */
function writeCalls(choice: ModelChoice, envelope: Envelope): JsonObject[] {
  const { needsSignatures } = geminiFamily(envelope.model);
  return choice.calls.map((call, index) => {
    const called: JsonObject = { name: call.name, args: call.input };
    if (needsSignatures) called['id'] = envelope.nextCallId();
    const part: JsonObject = { functionCall: called };
    const signs = index === 0 && (needsSignatures || choice.reasoning !== '');
    if (signs) part['thoughtSignature'] = envelope.signer.sign(signedContent(part));
    return part;
  });
}

function writeChunk(head: JsonObject, usage: ModelUsage, { model, id }: Envelope): JsonObject {
  return { ...head, usageMetadata: writeUsage(usage), modelVersion: model, responseId: id };
}

/** Thoughts are apart from the candidates' tokens, cached tokens are part of the prompt's. */
function writeUsage(usage: ModelUsage): JsonObject {
  const prompt = totalInput(usage);
  const candidates = usage.output + usage.outputAudio;
  const written: JsonObject = {
    promptTokenCount: prompt,
    candidatesTokenCount: candidates,
    totalTokenCount: prompt + candidates + usage.reasoning,
    promptTokensDetails: byModality(prompt - usage.inputAudio, usage.inputAudio),
  };
  if (usage.cacheRead > 0) {
    written['cachedContentTokenCount'] = usage.cacheRead;
    written['cacheTokensDetails'] = byModality(usage.cacheRead, 0);
  }
  if (usage.outputAudio > 0) written['candidatesTokensDetails'] = byModality(usage.output, usage.outputAudio);
  if (usage.reasoning > 0) written['thoughtsTokenCount'] = usage.reasoning;
  return written;
}

function byModality(text: number, audio: number): JsonObject[] {
  const details = [{ modality: 'TEXT', tokenCount: text }];
  return audio > 0 ? [...details, { modality: 'AUDIO', tokenCount: audio }] : details;
}

/** How Google prints JSON in a stream: a blank after each colon. */
function printCompact(value: JsonObject): string {
  return JSON.stringify(value, null, 1).replace(/\n\s*/g, '');
}

type Framing = (chunks: { part: Frame['part']; text: string }[]) => Frame[];

/** Server-sent events, with CRLF. */
const SSE: Framing = (chunks) => chunks.map(({ part, text }) => ({ part, text: `data: ${text}\r\n\r\n` }));

/** Without `alt=sse` the stream is one JSON array, element by element. */
const JSON_ARRAY: Framing = (chunks) =>
  chunks.map(({ part, text }, index) => ({
    part,
    text: `${index === 0 ? '[' : ',\r\n'}${text}${index === chunks.length - 1 ? '\n]\n' : ''}`,
  }));

/**
 * The chunks as recorded: a piece of text or one call each, the usage so far in every one, the finish reason (and the
 * signature of a text) in a last one with an empty text.
 */
export function writeStream(answer: ModelAnswer, envelope: Envelope, sse: boolean): Stream {
  const frame = sse ? SSE : JSON_ARRAY;
  const error = sse
    ? `data: ${printCompact(STREAM_ERROR)}\r\n\r\n`
    : `,\r\n${printCompact(STREAM_ERROR)}\n]\n`;
  const block = writeBlock(answer);
  if (block) {
    const text = printCompact(writeChunk(block, { ...answer.usage, output: 0, reasoning: 0 }, envelope));
    return { frames: frame([{ part: 'end', text }]), error };
  }
  let written = 0;
  const chunk = (
    part: Frame['part'],
    candidate: JsonObject,
    tokens: number,
  ): { part: Frame['part']; text: string } => {
    written += tokens;
    const usage = { ...answer.usage, output: Math.min(written, answer.usage.output) };
    return { part, text: printCompact(writeChunk({ candidates: [candidate] }, usage, envelope)) };
  };
  const chunks = answer.choices.flatMap((choice, index) => [
    ...streamedParts(choice, envelope).map(({ part, tokens }) =>
      chunk('output', { content: { parts: [part], role: 'model' }, index }, tokens),
    ),
    chunk('end', writeLastCandidate(choice, index, envelope), 0),
  ]);
  return { frames: frame(chunks), error };
}

function streamedParts(choice: ModelChoice, envelope: Envelope): { part: JsonObject; tokens: number }[] {
  const refused = choice.finish === 'refusal';
  const thoughts = writeThoughts(choice, envelope).flatMap((part) => piecesOf(String(part['text'])));
  return [
    ...thoughts.map((text) => ({ part: { text, thought: true }, tokens: 0 })),
    ...writeCalls(choice, envelope).map((part) => ({ part, tokens: 1 })),
    ...(refused ? [] : piecesOf(choice.text)).map((text) => ({ part: { text }, tokens: countTokens(text) })),
  ];
}

function writeLastCandidate(choice: ModelChoice, index: number, envelope: Envelope): JsonObject {
  const end: JsonObject = { finishReason: FINISH[choice.finish], index };
  if (choice.finish === 'refusal') return end;
  const last: JsonObject = { text: '' };
  if (choice.text !== '' && choice.reasoning !== '') {
    last['thoughtSignature'] = envelope.signer.sign(signedContent(last));
  }
  return { content: { parts: [last], role: 'model' }, ...end };
}
