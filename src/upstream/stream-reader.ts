import type { StreamMessage } from '../dialects/dialect.ts';
import { AWS_EVENT_STREAM, AwsEventReader } from './aws-event-reader.ts';
import { EventReader } from './event-reader.ts';

/** Takes the bytes of a streamed answer and gives its messages, however the packets are cut. */
export interface StreamReader {
  push(chunk: Buffer): StreamMessage[];
  /** The connection ended. @throws GatewayError `upstream_unavailable` where that cut a message off. */
  end(): StreamMessage[];
}

/** The reader for an answer's `content-type`. Servers that send events do not all say so, so all else is read as them. */
export function createStreamReader(contentType: string): StreamReader {
  if (contentType.toLowerCase().startsWith(AWS_EVENT_STREAM)) return new AwsEventReader();
  return new EventReader({ tellsComments: true });
}
