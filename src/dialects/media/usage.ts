import { isObject, type JsonValue } from '../../conversation/json.ts';
import { NO_USAGE, type Usage } from '../../conversation/usage.ts';
import { decodeUsage } from '../chat/usage.ts';
import { count, saysCounts } from '../counts.ts';

/**
 * What images, speech, transcriptions and reranked lists say of their usage, in tokens; `undefined` where they say nothing,
 * or count something else (`{ type: 'duration', seconds }` of Whisper, search units of Cohere).
 *
 * Sources: OpenAI API reference, `ImagesResponse.usage`, `Transcription.usage`, `speech.audio.done`, `transcript.text.done`; Jina API
 * reference (`usage.total_tokens`); Mistral counts as in chat.
 */
export function decodeMediaUsage(value: JsonValue | undefined): Usage | undefined {
  if (!isObject(value)) return undefined;
  const asChat = decodeUsage(value);
  if (asChat) return asChat;
  const { input_tokens: input, output_tokens: output, total_tokens: total } = value;
  if (input == null && output == null) {
    return saysCounts([total]) ? { ...NO_USAGE, input: count(total) } : undefined;
  }
  if (!saysCounts([input, output])) return undefined;
  const details = value['input_token_details'] ?? value['input_tokens_details'];
  const inputAudio = Math.min(count(isObject(details) ? details['audio_tokens'] : 0), count(input));
  return { ...NO_USAGE, input: count(input) - inputAudio, inputAudio, output: count(output) };
}
