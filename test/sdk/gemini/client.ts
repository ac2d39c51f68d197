import assert from 'node:assert/strict';
import {
  ApiError,
  type Content,
  FunctionCallingConfigMode,
  type GenerateContentConfig,
  type GenerateContentParameters,
  type GenerateContentResponse,
  GoogleGenAI,
  type Part,
  ThinkingLevel,
} from '@google/genai';
import { TEST_KEY } from '../../support/gateway.ts';
import type { Answer, DoorClient, Failure, Question, Told, Turn, Way } from '../door-client.ts';

/** A Google client as its users make it; it does not retry by itself. */
export function googleClient(url: string, apiVersion?: string): GoogleGenAI {
  return new GoogleGenAI({
    apiKey: TEST_KEY,
    httpOptions: { baseUrl: url },
    ...(apiVersion === undefined ? {} : { apiVersion }),
  });
}

/** Gemini 2.5 leaves calls unsigned which Gemini 3 then refuses. */
export function leavesCallsUnsigned(from: string, to: string): boolean {
  return from.includes('gemini-3') && to.includes('gemini-2.5');
}

/** The door of Google's SDK. */
export function googleDoor({ models }: GoogleGenAI): DoorClient {
  return {
    dialect: 'gemini',
    sdk: '@google/genai',
    readFailure,
    finishOfCalls: 'stop',
    cannotShare: leavesCallsUnsigned,
    ask: (question, way) => ask(models, question, way),
    stream: async function* (question) {
      for await (const chunk of await models.generateContentStream(params(question))) {
        const parts = chunk.candidates?.[0]?.content?.parts ?? [];
        const text = parts.map((part) => (part.thought ? '' : (part.text ?? ''))).join('');
        if (text !== '') yield text;
      }
    },
  };
}

/** The SDK's error holds the body as its message. One in a stream has the status of its body. */
function readFailure(error: unknown): Failure {
  assert.ok(error instanceof ApiError, String(error));
  const { error: body } = readErrorBody(error.message);
  assert.equal(body.code, error.status);
  return { status: error.status, message: body.message, word: body.status };
}

function readErrorBody(message: string): { error: { code: number; status: string; message: string } } {
  return JSON.parse(message.slice(message.indexOf('{')));
}

async function ask(models: GoogleGenAI['models'], question: Question, way: Way): Promise<Told> {
  if (way === 'whole') return tell([await models.generateContent(params(question))]);
  const chunks: GenerateContentResponse[] = [];
  for await (const chunk of await models.generateContentStream(params(question))) chunks.push(chunk);
  return tell(chunks);
}

export function params(question: Question): GenerateContentParameters {
  const { model, turns, system, tools, stop, schema, thinks, maxTokens, signal } = question;
  const config: GenerateContentConfig = {
    ...(system === undefined ? {} : { systemInstruction: system }),
    ...(tools ? { tools: [{ functionDeclarations: tools.map(declare) }] } : {}),
    ...(question.choice ? { toolConfig: { functionCallingConfig: writeChoice(question.choice) } } : {}),
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(stop ? { stopSequences: [...stop] } : {}),
    ...(schema ? { responseMimeType: 'application/json', responseJsonSchema: schema } : {}),
    ...(thinks ? { thinkingConfig: thinking(model) } : {}),
    ...(signal ? { abortSignal: signal } : {}),
  };
  return { model, contents: turns.flatMap(writeTurn), config };
}

function declare({ name, schema }: { name: string; schema?: unknown }) {
  return schema === undefined ? { name } : { name, parametersJsonSchema: schema };
}

/** The newer models are told a level; older ones get a budget. */
function thinking(model: string): GenerateContentConfig['thinkingConfig'] {
  const how = model.includes('gemini-3') ? { thinkingLevel: ThinkingLevel.LOW } : { thinkingBudget: 1024 };
  return { includeThoughts: true, ...how };
}

function writeChoice(choice: NonNullable<Question['choice']>) {
  if (choice === 'auto') return { mode: FunctionCallingConfigMode.AUTO };
  if (choice === 'none') return { mode: FunctionCallingConfigMode.NONE };
  if (choice === 'required') return { mode: FunctionCallingConfigMode.ANY };
  return { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: [choice.name] };
}

function writeTurn(turn: Turn): Content[] {
  if ('answer' in turn) return turn.answer.kept as Content[];
  if ('results' in turn) {
    const parts = turn.results.map((output, at): Part => {
      const [name = ''] = turn.of.answer.calls[at] ?? [];
      const id = turn.of.ids[at];
      return { functionResponse: { name, response: { output }, ...(id === undefined ? {} : { id }) } };
    });
    return [{ role: 'user', parts }];
  }
  const media = (turn.media ?? []).map(
    ({ mediaType, base64 }): Part => ({ inlineData: { mimeType: mediaType, data: base64 } }),
  );
  return [{ role: 'user', parts: [{ text: turn.user }, ...media] }];
}

const FINISHES: Record<string, Answer['finish']> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  SAFETY: 'filter',
  PROHIBITED_CONTENT: 'filter',
};

/** Adds the chunks of a stream up (a whole answer is one). What is kept is one content, as Google's documentation has it. */
export function tell(chunks: readonly GenerateContentResponse[]): Told {
  const contents: Content[] = [];
  let finish: string | undefined;
  let usage: GenerateContentResponse['usageMetadata'];
  for (const { candidates = [], usageMetadata, promptFeedback } of chunks) {
    usage = usageMetadata ?? usage;
    if (promptFeedback?.blockReason) finish = 'SAFETY';
    for (const { content, finishReason } of candidates) {
      assert.equal(finish, undefined, 'nothing follows the finish reason');
      if (content?.parts) contents.push(content);
      if (finishReason !== undefined) finish = finishReason;
    }
  }
  assert.ok(finish, 'an answer has a finish reason');
  const parts = contents.flatMap((content) => content.parts ?? []);
  const calls = parts.flatMap(({ functionCall }) => (functionCall ? [functionCall] : []));
  const reasoning = usage?.thoughtsTokenCount ?? 0;
  const headers = chunks[0]?.sdkHttpResponse?.headers ?? {};
  return {
    ids: calls.map(({ id }) => id),
    kept: [{ role: 'model', parts }],
    header: (name) => headers[name] ?? null,
    answer: {
      text: parts.map((part) => (part.thought ? '' : (part.text ?? ''))).join(''),
      thoughts: parts.map((part) => (part.thought ? (part.text ?? '') : '')).join(''),
      calls: calls.map(({ name = '', args = {} }) => [name, args]),
      finish: FINISHES[finish] ?? finish,
      tokens: {
        input: usage?.promptTokenCount ?? 0,
        cached: usage?.cachedContentTokenCount ?? 0,
        output: (usage?.candidatesTokenCount ?? 0) + reasoning,
        reasoning,
      },
    },
  };
}
