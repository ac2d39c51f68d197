import { notMultipart } from './head.ts';

/** The boundary that a content type names (RFC 2046 5.1.1), quoted or not. @throws GatewayError `invalid_request` */
export function readBoundary(contentType: string): string {
  const match = /;[ \t]*boundary=(?:"([^"]*)"|([^;\s"]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? '';
  if (!/^[ -~]{1,70}$/.test(boundary) || boundary.endsWith(' ')) {
    throw notMultipart('its content type names no boundary');
  }
  return boundary;
}
