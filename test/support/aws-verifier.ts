import { createHash, createHmac } from 'node:crypto';

export interface ReceivedRequest {
  method: string;
  /** As it came: encoded, with the query. */
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string | Buffer;
}

const SIGNATURE =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;

export interface Claim {
  accessKeyId: string;
  region: string;
  service: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  date: string;
  signedHeaders: string[];
}

/**
 * Recomputes the signature of a request as AWS does; `undefined` where it is another.
 * Source: AWS, "Create a signed AWS API request" (each segment of the path is encoded twice, but for S3).
 */
export function verifyAwsSignature(request: ReceivedRequest, secretAccessKey: string): Claim | undefined {
  const { method, path, headers, body } = request;
  const match = SIGNATURE.exec(String(headers['authorization']));
  if (!match) return undefined;
  const [, accessKeyId = '', day = '', region = '', service = '', names = '', signature] = match;
  const signedHeaders = names.split(';');
  const date = String(headers['x-amz-date']);
  const [pathname = '', query = ''] = path.split('?');
  const canonical = [
    method,
    pathname.split('/').map(encodeURIComponent).join('/'),
    query,
    ...signedHeaders.map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    createHash('sha256').update(body).digest('hex'),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')];
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  const expected = hmac(key, toSign.join('\n')).toString('hex');
  return expected === signature ? { accessKeyId, region, service, date, signedHeaders } : undefined;
}
