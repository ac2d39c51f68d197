import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

export interface HeldRequest {
  /** The text of its last message, or the model where it has none. */
  content: string;
  body: { stream?: boolean; model?: string };
  response: ServerResponse;
  answer(): void;
}

/** An OpenAI-compatible provider that answers when the test says so. */
export async function startHeldUpstream() {
  const held: HeldRequest[] = [];
  const upstream = await startRawUpstream((response, text) => {
    const body = readBody(text);
    const content = body.messages?.at(-1)?.content ?? body.model ?? text;
    held.push({ content, body, response, answer: () => answer(response, body) });
  });
  return {
    ...upstream,
    held,
    /** The requests that have come, once there are so many. */
    async arrived(count: number): Promise<HeldRequest[]> {
      for (let tries = 0; held.length < count && tries < 2_000; tries++) await sleep(5);
      assert.ok(held.length >= count, `${held.length} requests have come`);
      return held;
    },
  };
}

interface ChatBody {
  stream?: boolean;
  model?: string;
  input?: unknown;
  messages?: { content: string }[];
}

function readBody(text: string): ChatBody {
  return text.startsWith('{') ? (JSON.parse(text) as ChatBody) : {};
}

function answer(response: ServerResponse, { stream, input }: ChatBody): void {
  if (stream) {
    response.setHeader('content-type', 'text/event-stream');
    response.end(`${chatChunk('Hello')}${chatChunk('', 'stop')}data: [DONE]\n\n`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(
    input === undefined
      ? chatAnswer('Hello')
      : JSON.stringify({
          object: 'list',
          model: 'x',
          data: [{ object: 'embedding', index: 0, embedding: [0.5] }],
          usage: { prompt_tokens: 1, total_tokens: 1 },
        }),
  );
}

export interface Told {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Asked {
  told: Promise<Told>;
  leave(): void;
}

/**
 * Sends a request on a connection of its own; when this resolves the gateway has read it, and done with it whatever it does at
 * once: it has answered others meanwhile that were sent later.
 */
export async function send(
  gateway: Pick<TestGateway, 'url' | 'get'>,
  path: string,
  body: object | Buffer,
  headers: Record<string, string> = {},
): Promise<Asked> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const outgoing = request(gateway.url + path, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${TEST_KEY}`,
      'content-type': 'application/json',
      'content-length': String(bytes.length),
      ...headers,
    },
  });
  const told = new Promise<Told>((resolve, reject) => {
    outgoing.on('response', (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    outgoing.on('error', reject);
  });
  // Whoever leaves does not look.
  told.catch(() => {});
  await new Promise<void>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.end(bytes, resolve);
  });
  for (let round = 0; round < 3; round++) await (await gateway.get('/healthz')).arrayBuffer();
  return { told, leave: () => outgoing.destroy() };
}

export function chat(content: string, more: object = {}): object {
  return { model: 'm', messages: [{ role: 'user', content }], ...more };
}
