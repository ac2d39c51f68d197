import assert from 'node:assert/strict';
import type { GenerateContentResponse } from '@google/genai';
import {
  type Content,
  FunctionCallingMode,
  type FunctionDeclaration,
  type FunctionDeclarationSchema,
  type GenerateContentRequest,
  type GenerationConfig,
  GoogleGenerativeAI,
  GoogleGenerativeAIFetchError,
  type Schema,
} from '@google/generative-ai';
import { TEST_KEY } from '../../support/gateway.ts';
import type { DoorClient, Failure, Question, Told, Way } from '../door-client.ts';
import { leavesCallsUnsigned, params as newerParams, tell } from './client.ts';

/**
 * The door of Google's SDK that came before `@google/genai` and is still in use. Thinking is younger than it: its users write the
 * configuration of it without a type. A stream that breaks off raises nothing in it: they look for `error` themselves.
 */
export function olderGoogleDoor(baseUrl: string): DoorClient {
  const google = new GoogleGenerativeAI(TEST_KEY);
  const modelOf = ({ model }: Question) => google.getGenerativeModel({ model }, { baseUrl });
  const streamOf = async function* (question: Question): AsyncGenerator<GenerateContentResponse> {
    const { stream, response } = await modelOf(question).generateContentStream(
      params(question),
      options(question),
    );
    // It gives the whole at the end as well; who reads the pieces need not wait for it.
    response.catch(() => undefined);
    for await (const chunk of stream) yield checked(chunk);
  };
  return {
    dialect: 'gemini',
    sdk: '@google/generative-ai',
    readFailure,
    hidesHeaders: true,
    finishOfCalls: 'stop',
    cannotShare: leavesCallsUnsigned,
    ask: async (question, way) => ask(question, way),
    stream: async function* (question) {
      for await (const { candidates } of streamOf(question)) {
        const parts = candidates?.[0]?.content?.parts ?? [];
        const text = parts.map((part) => (part.thought ? '' : (part.text ?? ''))).join('');
        if (text !== '') yield text;
      }
    },
  };

  async function ask(question: Question, way: Way): Promise<Told> {
    if (way === 'whole') {
      const { response } = await modelOf(question).generateContent(params(question), options(question));
      return tell([checked(response)]);
    }
    const chunks: GenerateContentResponse[] = [];
    for await (const chunk of streamOf(question)) chunks.push(chunk);
    return tell(chunks);
  }
}

function options({ signal }: Question): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

/** An error that came in the place of an answer. */
class TroubleInStream extends Error {}

/** The body as it came: the types of the two SDKs are of the same objects. */
function checked(body: object): GenerateContentResponse {
  if ('error' in body) throw new TroubleInStream(JSON.stringify(body.error));
  return body as GenerateContentResponse;
}

function readFailure(error: unknown): Failure {
  if (error instanceof TroubleInStream) return { status: undefined, message: error.message };
  assert.ok(error instanceof GoogleGenerativeAIFetchError, String(error));
  return { status: error.status, message: error.message };
}

function params(question: Question): GenerateContentRequest {
  const { tools, schema, system, maxTokens, stop, choice } = question;
  const { config, contents } = newerParams(question);
  const generationConfig: GenerationConfig & { thinkingConfig?: unknown } = {
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(stop ? { stopSequences: [...stop] } : {}),
    ...(schema ? { responseMimeType: 'application/json', responseSchema: asSchema(schema) } : {}),
    ...(config?.thinkingConfig ? { thinkingConfig: config.thinkingConfig } : {}),
  };
  return {
    contents: contents as Content[],
    generationConfig,
    ...(system === undefined ? {} : { systemInstruction: system }),
    ...(tools ? { tools: [{ functionDeclarations: tools.map(declare) }] } : {}),
    ...(choice ? { toolConfig: { functionCallingConfig: writeChoice(choice) } } : {}),
  };
}

function declare({ name, schema }: { name: string; schema?: Record<string, unknown> }): FunctionDeclaration {
  if (schema === undefined) return { name };
  return { name, parameters: asSchema(schema) as unknown as FunctionDeclarationSchema };
}

/** Its schemas are a subset of JSON Schema. */
function asSchema({ additionalProperties: _, ...schema }: Record<string, unknown>): Schema {
  return schema as unknown as Schema;
}

function writeChoice(choice: NonNullable<Question['choice']>) {
  if (choice === 'auto') return { mode: FunctionCallingMode.AUTO };
  if (choice === 'none') return { mode: FunctionCallingMode.NONE };
  if (choice === 'required') return { mode: FunctionCallingMode.ANY };
  return { mode: FunctionCallingMode.ANY, allowedFunctionNames: [choice.name] };
}
