import { BetaMessageStream } from '@anthropic-ai/sdk/lib/BetaMessageStream';
import type { JsonObject } from '../../../src/conversation/json.ts';

/** The message that the official SDK (its beta side, which knows more blocks) adds the events of a stream up to. */
export async function accumulate(chunks: readonly string[]): Promise<JsonObject> {
  const lines = new TextEncoder().encode(chunks.map((chunk) => `${chunk}\n`).join(''));
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(lines);
      controller.close();
    },
  });
  const message = await BetaMessageStream.fromReadableStream(body).finalMessage();
  return JSON.parse(JSON.stringify(message)) as JsonObject;
}

/** The `data:` payloads of a stream's bytes. */
export function readEvents(bytes: string): string[] {
  return bytes.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []));
}
