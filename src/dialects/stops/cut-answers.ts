import { appendAll } from '../../conversation/append-all.ts';
import type { Choice, Completion, CompletionEvent } from '../../conversation/completion.ts';
import type { Part, TextPart } from '../../conversation/conversation.ts';
import { StopReader, StopSearch } from '../../conversation/stop-search.ts';
import type { StreamDecoder, UpstreamDialect } from '../dialect.ts';
import { finishWithCalls } from '../finish-with-calls.ts';
import { CutChoice } from './cut-choice.ts';
import { citedWithin, loggedWithin } from './cut-details.ts';

/**
 * The dialect whose answers end at stop sequences that its provider is not told: where one is complete in the text of a choice, the choice ends
 * before it, as if the model had stopped there. What the model thinks, and how it calls tools, is not looked at; what it says, thinks or calls behind it is
 * not told. How much it used its provider says: it went on.
 *
 * @param choices how many are asked for
 */
export function withCutAnswers(
  dialect: UpstreamDialect,
  sequences: readonly string[],
  choices = 1,
): UpstreamDialect {
  const search = new StopSearch(sequences);
  return {
    ...dialect,
    decodeResponse: (body) => cutCompletion(dialect.decodeResponse(body), search),
    streamDecoder: () => new CuttingDecoder(dialect.streamDecoder(), search, choices),
  };
}

function cutCompletion(completion: Completion, search: StopSearch): Completion {
  return { ...completion, choices: completion.choices.map((choice) => cutChoice(choice, search)) };
}

function cutChoice(choice: Choice, search: StopSearch): Choice {
  const reader = new StopReader(search);
  for (const [index, part] of choice.parts.entries()) {
    if (part.type !== 'text') {
      reader.reset();
      continue;
    }
    const match = reader.read(part.text);
    if (match) {
      const end = { ...part, text: part.text.slice(0, match.end) };
      const parts = withoutLast([...choice.parts.slice(0, index), end], match.sequence.length);
      return endedAt({ ...choice, parts }, match.sequence);
    }
  }
  return choice;
}

function endedAt({ logprobs, ...choice }: Choice, stopSequence: string): Choice {
  const { parts } = choice;
  const callsTools = parts.some(({ type }) => type === 'tool_call');
  const finish = finishWithCalls('stop_sequence', callsTools);
  const said = parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const logged = logprobs && loggedWithin(logprobs, Buffer.byteLength(said));
  return {
    ...{ ...choice, finish },
    ...(finish === 'stop_sequence' && { stopSequence }),
    ...(logged && { logprobs: logged }),
  };
}

/** Parts without the last characters of the texts that they end with. */
function withoutLast(parts: Part[], characters: number): Part[] {
  let left = characters;
  for (let index = parts.length - 1; index >= 0; index -= 1) {
    const part = parts[index];
    if (part?.type !== 'text') break;
    parts[index] = shortened(part, Math.max(part.text.length - left, 0));
    left -= part.text.length;
    if (left <= 0) break;
    // It began with what is not told.
    parts.length = index;
  }
  return parts;
}

function shortened(part: TextPart, length: number): TextPart {
  const { citations, ...rest } = part;
  const kept = citedWithin(citations, length);
  return { ...rest, text: part.text.slice(0, length), ...(kept && { citations: kept }) };
}

/** The same of a stream. Text that may be the beginning of a sequence is told when that is decided. */
class CuttingDecoder implements StreamDecoder {
  readonly #decoder: StreamDecoder;
  readonly #search: StopSearch;
  readonly #asked: number;
  readonly #choices = new Map<number, CutChoice>();
  #untoldChars = 0;

  constructor(decoder: StreamDecoder, search: StopSearch, asked: number) {
    this.#decoder = decoder;
    this.#search = search;
    this.#asked = asked;
  }

  get usageIsAnnounced(): boolean {
    return this.#decoder.usageIsAnnounced === true;
  }

  /** That the model may go on is nobody's matter. */
  get isFinished(): boolean {
    return this.#decoder.isFinished === true || this.#isDecided;
  }

  /** As long as it may be the beginning of a sequence, and behind one. */
  get untoldChars(): number {
    return this.#untoldChars;
  }

  conclude(): CompletionEvent[] | undefined {
    if (!this.#isDecided) return undefined;
    const ends = [...this.#choices.values()].flatMap((choice) => choice.conclude());
    return [...ends, { type: 'end' }];
  }

  get #isDecided(): boolean {
    if (this.#choices.size < this.#asked) return false;
    const choices = [...this.#choices.values()];
    return choices.some(({ isCut }) => isCut) && choices.every(({ isDecided }) => isDecided);
  }

  push(message: Parameters<StreamDecoder['push']>[0]): CompletionEvent[] {
    return this.#cut(this.#decoder.push(message));
  }

  end(): CompletionEvent[] {
    return this.#cut(this.#decoder.end());
  }

  #cut(events: CompletionEvent[]): CompletionEvent[] {
    const told: CompletionEvent[] = [];
    for (const event of events) {
      if ('choice' in event) appendAll(told, this.#choice(event.choice).push(event));
      else told.push(event);
    }
    this.#untoldChars += charsOf(events) - charsOf(told);
    return told;
  }

  #choice(index: number): CutChoice {
    let choice = this.#choices.get(index);
    if (!choice) {
      choice = new CutChoice(index, this.#search);
      this.#choices.set(index, choice);
    }
    return choice;
  }
}

function charsOf(events: readonly CompletionEvent[]): number {
  return events.reduce((sum, event) => sum + (event.type === 'part_delta' ? event.delta.length : 0), 0);
}
