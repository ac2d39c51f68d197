import type { Scenario } from '../scenarios.ts';
import { buildAnswerBody, buildPromptInput, buildRequestBody, buildStreamEvents } from './chat-bodies.ts';
import type { CallTarget } from './protocol.ts';

/** A call that is made again and again, and the answer that it must get. */
export interface CallSpec {
  port: number;
  /** Head and body. */
  request: Buffer;
  /** Of the answer, framing removed. Where the subject writes the answer, its length is not known to the byte. */
  bodyBytes: { least: number; most: number };
  /** What stands in the first bytes of an answer. */
  marker: string;
}

/** The calls of a target, one for each of its keys. Throws where it has none. */
export function describeCalls(scenario: Scenario, target: CallTarget): CallSpec[] {
  if (target.apiKeys.length === 0) throw new Error('a job has no key to call with');
  return target.apiKeys.map((apiKey) => describeCall(scenario, target, apiKey));
}

function describeCall(scenario: Scenario, target: CallTarget, apiKey: string): CallSpec {
  const { name, answer, requestBytes } = scenario;
  const { port, prompt, model = name } = target;
  const body =
    prompt === undefined
      ? buildRequestBody(model, answer.kind === 'stream', requestBytes)
      : buildPromptInput(requestBytes);
  const path = prompt === undefined ? '/v1/chat/completions' : `/v1/prompts/${prompt}?format=chat`;
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${apiKey}`,
    'content-type: application/json',
    'accept: */*',
    'user-agent: fairlead-bench',
    ...target.headers,
    `content-length: ${body.length}`,
  ];
  return {
    port,
    request: Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]),
    bodyBytes: describeLength(scenario, target.isRewritten),
    marker: answer.kind === 'whole' ? '"object":"chat.completion"' : '"object":"chat.completion.chunk"',
  };
}

function describeLength({ name, answer }: Scenario, isRewritten: boolean): CallSpec['bodyBytes'] {
  const { length } =
    answer.kind === 'whole'
      ? buildAnswerBody(name, answer.sizeBytes)
      : Buffer.concat(buildStreamEvents(name, answer.chunks));
  return isRewritten ? { least: length / 3, most: length * 2 } : { least: length, most: length };
}
