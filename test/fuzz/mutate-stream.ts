import { type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import type { StreamMessage } from '../../src/dialects/dialect.ts';
import { mutateJson } from './mutate-json.ts';
import type { Random } from './random.ts';

const ODD_MESSAGES: readonly StreamMessage[] = [
  { data: '' },
  { data: 'null' },
  { data: '[]' },
  { data: '{}' },
  { data: '{"choices":null}' },
  { data: '{"choices":[{}]}' },
  { data: '{"type":"ping"}', event: 'ping' },
  { data: '{"type":"nobody.knows","index":-1}', event: 'nobody.knows' },
  { data: '{"error":{"message":"Overloaded","type":"overloaded_error","code":null}}', event: 'error' },
  { data: '{"type":"error","error":"so"}', event: 'error' },
  { data: '{"broken":', event: 'message' },
  { data: '[DONE]' },
  { data: '[DONE' },
  { data: '{"type":"message_stop"}', event: 'message_stop' },
  { data: '{"type":"content_block_delta","index":99,"delta":{"type":"text_delta","text":"x"}}' },
  { data: '{"type":"content_block_stop","index":0}' },
  {
    data: '{"type":"response.output_text.delta","output_index":9,"content_index":3,"delta":"x","item_id":"no"}',
  },
  { data: '{"candidates":[{"index":7,"content":{"parts":[{"functionCall":{"willContinue":true}}]}}]}' },
  { data: '{"contentBlockIndex":5,"delta":{"toolUse":{"input":"{"}}}', event: 'contentBlockDelta' },
  { data: '{"message":"no"}', event: 'throttlingException' },
];

type Change = (random: Random, messages: StreamMessage[]) => void;

const CHANGES: readonly Change[] = [
  (random, messages) => void messages.splice(random.below(messages.length), 1),
  (random, messages) => void messages.splice(random.below(messages.length), random.below(messages.length)),
  (random, messages) => void messages.splice(random.below(messages.length)),
  function repeat(random, messages) {
    const message = messages[random.below(messages.length)];
    if (message) messages.splice(random.below(messages.length + 1), 0, message);
  },
  function swap(random, messages) {
    const [a, b] = [random.below(messages.length), random.below(messages.length)];
    const [one, other] = [messages[a], messages[b]];
    if (one && other) [messages[a], messages[b]] = [other, one];
  },
  (random, messages) => void messages.splice(random.below(messages.length + 1), 0, random.pick(ODD_MESSAGES)),
  changeOne,
  changeOne,
  changeOne,
  function rename(random, messages) {
    const at = random.below(messages.length);
    const message = messages[at];
    if (message)
      messages[at] = { ...message, event: random.pick(['', 'message', 'error', 'ping', 'messageStop']) };
  },
  (_random, messages) => void messages.push(...messages.slice(0, 200)),
];

function changeOne(random: Random, messages: StreamMessage[]): void {
  const at = random.below(messages.length);
  const message = messages[at];
  const value: JsonValue | undefined = message && tryParseJson(message.data);
  if (message && value !== undefined) {
    messages[at] = { ...message, data: JSON.stringify(mutateJson(random, value)) };
  }
}

/** The same stream with one to three events changed, lost, repeated or out of order. */
export function mutateStream(random: Random, stream: readonly StreamMessage[]): StreamMessage[] {
  const messages = [...stream];
  for (let change = 0; change <= random.below(3); change++) random.pick(CHANGES)(random, messages);
  return messages;
}
