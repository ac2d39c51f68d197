import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { readBoundary } from '../dialects/multipart/boundary.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { Upload } from '../gateway/upload.ts';

const MULTIPART = 'multipart/form-data';

/** Leaves forms at the doors of a plugin unread: they are handed on while they arrive. */
export function takeUploads(doors: FastifyInstance): void {
  doors.addContentTypeParser(MULTIPART, (_request, _payload, done) => done(null));
}

export function isForm(contentType: string): boolean {
  return /^multipart\/form-data *(?:;|$)/i.test(contentType);
}

/**
 * The form that a request carries; `undefined` where its body is something else.
 *
 * @throws GatewayError `invalid_request`
 */
export function readUpload({ uploads }: Gateway, { headers, raw }: FastifyRequest): Upload | undefined {
  const contentType = headers['content-type'];
  if (contentType === undefined || !isForm(contentType)) return undefined;
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw invalidRequest('Forms are taken without a content encoding only.');
  }
  const length = headers['content-length'];
  return new Upload({
    source: raw,
    contentType,
    boundary: readBoundary(contentType),
    length: length === undefined ? undefined : Number(length),
    ...uploads,
  });
}
