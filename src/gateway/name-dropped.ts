import type { AttemptRecord } from '../usage/record.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';

/** What names of dropped parameters may take of an answer's head: clients and proxies read no more than some kilobytes. */
const MAX_HEADER_CHARS = 2_000;

/** Names hold keys that callers made up. */
const MAX_NAME_CHARS = 200;

/** The value of `x-fairlead-dropped`: as many of the names as fit, and how many more there are. */
export function nameDropped(dropped: readonly string[]): string {
  const names: string[] = [];
  let room = MAX_HEADER_CHARS;
  for (const name of dropped) {
    const text = headerText(name.length > MAX_NAME_CHARS ? `${name.slice(0, MAX_NAME_CHARS)}...` : name);
    room -= text.length + 2;
    if (room < 0) return [...names, `and ${dropped.length - names.length} more`].join(', ');
    names.push(text);
  }
  return names.join(', ');
}

/** Names come from callers: what no header may hold is escaped as in a URL. */
export function headerText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : encodeURI(text.toWellFormed());
}

/** Notes what the client could not be told of an answer. The header of a stream has gone before most of it is known: the log says it, too. */
export function tellDropped({ log }: Pick<Gateway, 'log'>, call: Call, attempt: AttemptRecord): void {
  const { id, stream, droppedOfAnswer: dropped = [] } = call;
  attempt.dropped = dropped;
  if (!stream) return;
  const fields = { call: id, target: attempt.target, dropped };
  log.info(fields, "the caller's dialect has no word for parts of a stream");
}
