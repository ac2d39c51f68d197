import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject } from '../conversation/json.ts';
import { EXPORT_FORMATS, type ExportFormat } from '../usage/export.ts';

/** What answers can be asked for in. */
export const FORMATS = ['json', ...Object.keys(EXPORT_FORMATS)] as ('json' | ExportFormat)[];
const MEDIA_TYPES: ReadonlyMap<string, 'json' | ExportFormat> = new Map([
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
]);

/**
 * What a request wants its answer written in, and the rest of its query: `format=`, else the first type of `Accept` that is known here,
 * else JSON.
 *
 * @throws GatewayError `invalid_request` where the format is none
 */
export function readFormat(request: FastifyRequest): { format: 'json' | ExportFormat; query: object } {
  const { format: asked, ...query } = isObject(request.query) ? request.query : {};
  if (asked === undefined) return { format: readAccept(request.headers.accept ?? ''), query };
  const format = FORMATS.find((each) => each === asked);
  if (format) return { format, query };
  throw invalidRequest(`'format': give one of ${FORMATS.join(', ')}.`, 'format');
}

function readAccept(accept: string): 'json' | ExportFormat {
  const types = accept.split(',').map((range) => (range.split(';')[0] ?? '').trim().toLowerCase());
  const known = types.find((type) => MEDIA_TYPES.has(type));
  return MEDIA_TYPES.get(known ?? '') ?? 'json';
}

/** Sends lines as a file, at the pace at which they are read. */
export function sendExport(
  reply: FastifyReply,
  name: string,
  format: ExportFormat,
  lines: AsyncIterable<string>,
): FastifyReply {
  const { contentType, extension } = EXPORT_FORMATS[format];
  return reply
    .header('content-type', contentType)
    .header('content-disposition', `attachment; filename="${name}.${extension}"`)
    .send(Readable.from(lines, { objectMode: false }));
}
