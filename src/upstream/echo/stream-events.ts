import { completionEvents } from '../../conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../conversation/completion.ts';
import { splitForStream } from './words.ts';

/** A completion as the events of its stream: the text word by word. */
export function* streamEvents(completion: Completion): Generator<CompletionEvent> {
  for (const event of completionEvents(completion)) {
    if (event.type !== 'part_delta') yield event;
    else for (const delta of splitForStream(event.delta)) yield { ...event, delta };
  }
}
