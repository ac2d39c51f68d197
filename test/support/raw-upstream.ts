import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RawUpstream {
  /** As an `openai-compatible` provider's `baseUrl`. */
  baseUrl: string;
  requests: { path: string; headers: IncomingMessage['headers']; body: string }[];
  /** How many are open. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

/** A provider that answers every request as the test says, byte by byte if need be. */
export async function startRawUpstream(
  answer: (response: ServerResponse, body: string, request: IncomingMessage) => unknown,
): Promise<RawUpstream> {
  const requests: RawUpstream['requests'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      requests.push({ path: request.url ?? '', headers: request.headers, body });
      void answer(response, body, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A chunk of a chat stream with some text. */
export function chatChunk(content: string, finish: string | null = null): string {
  const choice = { index: 0, delta: { content }, finish_reason: finish };
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [choice] })}\n\n`;
}

/** A whole chat answer with some text. */
export function chatAnswer(content: string): string {
  return JSON.stringify({
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  });
}

/** The config of a gateway whose provider `up` is this upstream. */
export function configFor(upstream: RawUpstream): object {
  return { providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } } };
}
