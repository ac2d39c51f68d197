import OpenAI from 'openai';
import type { Response as OpenAIResponse, ResponseStreamEvent } from 'openai/resources/responses/responses';

/** The official SDK on a transport that answers each request with this text, as a stream of server-sent events. */
function clientFor(text: string): OpenAI {
  return new OpenAI({
    apiKey: 'none',
    maxRetries: 0,
    fetch: async () => new Response(text, { headers: { 'content-type': 'text/event-stream' } }),
  });
}

/** The response that the SDK's own accumulator makes of a stream. */
export function accumulate(text: string): Promise<OpenAIResponse> {
  return clientFor(text).responses.stream({ model: 'any', input: 'any' }).finalResponse();
}

/** The events that the SDK gives of a stream, up to the error that it throws. */
export async function iterate(text: string): Promise<{ events: ResponseStreamEvent[]; error?: unknown }> {
  const events: ResponseStreamEvent[] = [];
  try {
    const stream = await clientFor(text).responses.create({ model: 'any', input: 'any', stream: true });
    for await (const event of stream) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events };
}
