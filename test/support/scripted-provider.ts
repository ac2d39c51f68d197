import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { chatAnswer, chatChunk } from './raw-upstream.ts';

/** What a provider does with a request, of which it knows whether it asks for a stream. */
export type Act = (response: ServerResponse, stream: boolean) => unknown;

const ROLE = chatChunk('').replace('"content":""', '"role":"assistant","content":""');
const USED = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } })}\n\n`;

/** Begins a stream, with nothing of its answer. */
export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(ROLE);
}

/** Ends a stream that has begun, with its last words. */
export function endStream(response: ServerResponse, words = ''): void {
  const last = words === '' ? '' : chatChunk(words);
  response.end(`${last}${chatChunk('', 'stop')}${USED}data: [DONE]\n\n`);
}

/** Answers well, whole or streamed: three tokens of input and two of output. */
export const say =
  (words: string): Act =>
  (response, stream) => {
    if (!stream) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(chatAnswer(words));
      return;
    }
    beginStream(response);
    endStream(response, words);
  };

export const failWith =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end('{"error":{"message":"Not now","type":"server_error"}}');
  };

export interface ScriptedProvider {
  /** What it does with its next requests, one after the other. */
  answers: Act[];
  /** What it does with all others. */
  otherwise: Act;
  requests(): number;
  /** When the next request was acted on, and when the next one is left by who sent it before it was answered. */
  next(what: 'begun' | 'left'): Promise<void>;
  /** It takes no connection any more, and breaks off all that it has. */
  leave(): Promise<void>;
  /** At the same address. */
  comeBack(): Promise<void>;
  baseUrl: string;
  /** As the configuration has it. */
  provider: { adapter: string; baseUrl: string; accounts: { name: string; apiKey: string }[] };
}

/** A chat provider that does with each request what the test says. It is gone when the test is over. */
export async function startProvider(
  context: Pick<TestContext, 'after'>,
  otherwise: Act = say('Hi'),
): Promise<ScriptedProvider> {
  let requests = 0;
  const waiting: { begun: (() => void)[]; left: (() => void)[] } = { begun: [], left: [] };
  const tell = (what: 'begun' | 'left') => {
    for (const resolve of waiting[what].splice(0)) resolve();
  };
  const server = createServer((incoming, response) => {
    requests += 1;
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { stream } = JSON.parse(Buffer.concat(chunks).toString()) as { stream?: boolean };
      (scripted.answers.shift() ?? scripted.otherwise)(response, stream === true);
      tell('begun');
    });
    response.on('close', () => response.writableEnded || tell('left'));
  });
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const leave = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  context.after(() => (server.listening ? leave() : undefined));
  const baseUrl = `http://127.0.0.1:${port}/v1`;
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const scripted: ScriptedProvider = {
    answers: [],
    otherwise,
    requests: () => requests,
    next: (what) => new Promise((resolve) => waiting[what].push(resolve)),
    leave,
    comeBack: async () => {
      if (!server.listening) await listen(port);
    },
    baseUrl,
    provider: { adapter: 'openai-compatible', baseUrl, accounts },
  };
  return scripted;
}
