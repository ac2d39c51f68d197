/** The answers of the bench's calls in the `messages` dialect (Anthropic Messages), of the same sizes as those of `chat-bodies.ts`. */
import { fillToSize, PROSE } from './chat-bodies.ts';

/** A whole `message` of `sizeBytes`, with usage. */
export function buildMessage(model: string, sizeBytes: number): Buffer {
  return fillToSize(sizeBytes, (text) => ({
    ...messageHead(model, [{ type: 'text', text }], 'end_turn'),
    usage: { input_tokens: 200, output_tokens: 180 },
  }));
}

/** The events of a streamed answer, `chunks` of them; two begin it and three end it. */
export function buildMessageEvents(model: string, chunks: number): Buffer[] {
  const words = PROSE.split(' ');
  const events = [
    renderEvent('message_start', {
      message: { ...messageHead(model, [], null), usage: { input_tokens: 200, output_tokens: 1 } },
    }),
    renderEvent('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  ];
  while (events.length < chunks - 3) {
    const text = `${words[events.length % words.length]} `;
    events.push(renderEvent('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }));
  }
  events.push(renderEvent('content_block_stop', { index: 0 }));
  events.push(
    renderEvent('message_delta', {
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: chunks },
    }),
  );
  events.push(renderEvent('message_stop', {}));
  return events.map((event) => Buffer.from(event));
}

function messageHead(model: string, content: object[], stopReason: string | null): object {
  return {
    id: 'msg_bench',
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: stopReason,
    stop_sequence: null,
  };
}

function renderEvent(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}
