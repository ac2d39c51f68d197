import { tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { findUsage } from '../answer-scan.ts';
import { readAnyFailure } from '../chat/pass-through.ts';
import { modelFieldNames } from '../named-models.ts';
import type { PassThrough } from '../pass-through.ts';
import { type FieldSpans, spliceBody } from '../request-fields.ts';
import { WordTable } from '../word-table.ts';
import { MediaStreamScanner } from './stream-scanner.ts';
import { decodeMediaUsage } from './usage.ts';

/** Images, audio, moderations and rerank: nothing of them is known here but the model, the usage and how a stream ends. */
export const passThrough: PassThrough = {
  fields: new WordTable(['model', 'voice', 'n', ...modelFieldNames('chat')]),
  prepareRequest: (body, { model }, options) =>
    model ? spliceBody(body, [{ span: model, text: JSON.stringify(options.model) }]) : body,
  readUsage,
  readFailure: readAnyFailure,
  countAsked,
  streamScanner: ({ asked }) => new MediaStreamScanner(asked),
};

/** Of a form, whose fields pass by, nothing is known. */
function countAsked(body: Buffer, { n }: FieldSpans): number {
  const count = n ? tryParseJson(body.toString('utf8', n.start, n.end)) : 1;
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 1 ? count : 1;
}

function readUsage(body: Buffer): Usage | undefined {
  return decodeMediaUsage(findUsage(body, undefined, (value) => decodeMediaUsage(value) !== undefined));
}
