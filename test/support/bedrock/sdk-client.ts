import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { BedrockRuntimeClient } from '@aws-sdk/client-bedrock-runtime';
import { type HttpRequest, HttpResponse } from '@smithy/core/protocols';

/** AWS's own client for a fake: by itself it speaks HTTP/2, the fakes speak HTTP/1.1. */
export function createSdkClient(endpoint: string): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    region: 'us-east-1',
    endpoint,
    credentials: { accessKeyId: 'AKIAFAKE', secretAccessKey: 'secret' },
    maxAttempts: 1,
    requestHandler: { handle },
  });
}

async function handle(request: HttpRequest): Promise<{ response: HttpResponse }> {
  const { hostname, port, method, path, headers } = request;
  const outgoing = httpRequest({ hostname, port, method, path, headers });
  outgoing.end(request.body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const response = new HttpResponse({
    statusCode: incoming.statusCode ?? 0,
    headers: Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: incoming,
  });
  return { response };
}
