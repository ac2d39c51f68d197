import type { Usage } from '../../conversation/usage.ts';
import { embeddingsPassThrough } from '../chat/pass-through.ts';
import { findLastObject } from '../json-bytes.ts';
import { modelFieldNames } from '../named-models.ts';
import type { PassThrough } from '../pass-through.ts';
import { spliceBody } from '../request-fields.ts';
import { MediaStreamScanner } from './stream-scanner.ts';
import { decodeMediaUsage } from './usage.ts';

const USAGE_KEY = Buffer.from('"usage"');

/** Images, audio, moderations and rerank: nothing of them is known here but the model, the usage and how a stream ends. */
export const passThrough: PassThrough = {
  fields: new Set(['model', 'voice', ...modelFieldNames('chat')]),
  prepareRequest: (body, { model }, options) =>
    model ? spliceBody(body, [{ span: model, text: JSON.stringify(options.model) }]) : body,
  readUsage,
  readFailure: embeddingsPassThrough.readFailure,
  streamScanner: () => new MediaStreamScanner(),
};

function readUsage(body: Buffer): Usage | undefined {
  return decodeMediaUsage(findLastObject(body, USAGE_KEY, (value) => decodeMediaUsage(value) !== undefined));
}
