import { CompletionCollector } from '../conversation/collect.ts';
import type { Completion, FinishReason } from '../conversation/completion.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { CallerDialect, StreamEncoder } from '../dialects/dialect.ts';
import { promptDialect } from './answer.ts';
import type { Prompt } from './compile-prompt.ts';

const WHOLE: ReadonlySet<FinishReason> = new Set(['stop', 'stop_sequence']);

/** Whether an answer may be given again: it is whole, of text alone, and what the prompt's output is to be. */
export function isKeepable({ output }: Pick<Prompt, 'output'>, completion: Completion): boolean {
  const [choice, ...others] = completion.choices;
  if (!choice || others.length > 0 || !WHOLE.has(choice.finish)) return false;
  if (choice.parts.some(({ type }) => type !== 'text' && type !== 'reasoning')) return false;
  try {
    promptDialect(output).writeResponse?.(completion, []);
    return true;
  } catch (thrown) {
    if (thrown instanceof GatewayError) return false;
    throw thrown;
  }
}

/** A dialect that shows each whole answer that it writes, also one that it writes as a stream. */
export function watchAnswers(dialect: CallerDialect, show: (completion: Completion) => void): CallerDialect {
  const { writeResponse } = dialect;
  const watched: CallerDialect = {
    ...dialect,
    encodeResponse: (completion, request, dropped) => {
      const encoded = dialect.encodeResponse(completion, request, dropped);
      show(completion);
      return encoded;
    },
    streamEncoder: (options) => watchStream(dialect.streamEncoder(options), show),
  };
  if (writeResponse)
    watched.writeResponse = (completion, dropped) => {
      const text = writeResponse(completion, dropped);
      show(completion);
      return text;
    };
  return watched;
}

function watchStream(encoder: StreamEncoder, show: (completion: Completion) => void): StreamEncoder {
  const collector = new CompletionCollector();
  return {
    get answer() {
      return encoder.answer;
    },
    push: (event) => {
      collector.push(event);
      const text = encoder.push(event);
      if (collector.ended && !collector.error) show(collector.completion);
      return text;
    },
  };
}
