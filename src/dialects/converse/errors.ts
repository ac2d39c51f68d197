import type { ErrorKind } from '../../conversation/gateway-error.ts';
import { isObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { ResponseHeaders, UpstreamFailure } from '../dialect.ts';
import { describeText } from '../messages/errors.ts';
import { ReportedError } from '../reported-error.ts';
import { textOf } from './fields.ts';

/**
 * What the exceptions of the service mean to our caller, whether they come as an answer or inside a stream. A refused
 * credential is ours, not the caller's.
 *
 * Source: Bedrock API reference (errors of `Converse` and `ConverseStream`), "Common errors" of AWS's APIs.
 */
const EXCEPTIONS = new Map<string, ErrorKind | 'credential' | 'permission'>([
  ['ValidationException', 'upstream_rejected'],
  ['SerializationException', 'upstream_rejected'],
  ['ResourceNotFoundException', 'upstream_rejected'],
  ['ConflictException', 'upstream_rejected'],
  ['ThrottlingException', 'upstream_rate_limited'],
  ['TooManyRequestsException', 'upstream_rate_limited'],
  ['ServiceQuotaExceededException', 'upstream_rate_limited'],
  ['ModelNotReadyException', 'upstream_unavailable'],
  ['ModelErrorException', 'upstream_unavailable'],
  ['ModelStreamErrorException', 'upstream_unavailable'],
  ['InternalServerException', 'upstream_unavailable'],
  ['InternalFailure', 'upstream_unavailable'],
  ['ServiceUnavailableException', 'upstream_unavailable'],
  ['ModelTimeoutException', 'upstream_timeout'],
  ['RequestTimeoutException', 'upstream_timeout'],
  ['AccessDeniedException', 'permission'],
  ['ExpiredTokenException', 'credential'],
  ['IncompleteSignature', 'credential'],
  ['IncompleteSignatureException', 'credential'],
  ['InvalidClientTokenId', 'credential'],
  ['InvalidSignatureException', 'credential'],
  ['MissingAuthenticationTokenException', 'credential'],
  ['NotAuthorized', 'permission'],
  ['OptInRequired', 'permission'],
  ['UnrecognizedClientException', 'credential'],
]);

/** A key of ours that is refused has no exception of its own ("Authentication failed: Please make sure your API Key is valid."). */
const KEY_REFUSED = /\bAPI Key\b|security token/i;

/** The words of the models behind the API for a prompt that is too long. */
const CONTEXT_LENGTH =
  /too long|context (?:window|length|limit)|exceeds? the (?:maximum|model)|maximum (?:number of )?(?:input )?tokens/i;

export function decodeError(
  status: number,
  body: JsonValue | string,
  headers: ResponseHeaders = {},
): UpstreamFailure {
  const fields = isObject(body) ? body : {};
  const code = exceptionName(textOf(headers['x-amzn-errortype'] ?? fields['__type'] ?? fields['code']));
  const said = textOf(fields['message'] ?? fields['Message']);
  const message = said !== '' ? said : describeText(status, typeof body === 'string' ? body : '');
  const { kind, ...failure } = readException(code, message);
  // A 4xx of theirs is not always the caller's to mend: a model that is not ready is a 429, a model's failure a 424.
  return kind === undefined || kind === 'upstream_rejected' ? failure : { ...failure, kind };
}

/** An exception that came in the place of an event: the stream had begun with status 200. */
export function decodeException(type: string, data: string): ReportedError {
  const body = tryParseJson(data);
  const fields = isObject(body) ? body : {};
  const name = exceptionName(type === 'error' ? textOf(fields['code']) : type);
  const said = textOf(fields['message'] ?? fields['Message'] ?? fields['originalMessage']);
  const message = said !== '' ? said : `The provider's stream ended with ${name || 'an error'}.`;
  return new ReportedError(readException(name, message), undefined);
}

function readException(name: string, message: string): UpstreamFailure {
  const meaning = EXCEPTIONS.get(name);
  if (meaning === 'credential' || (meaning === 'permission' && KEY_REFUSED.test(message))) {
    return { message, code: name, credentialRejected: true };
  }
  if (meaning === 'permission') return { message, code: name, permissionDenied: true };
  return { message, ...codeOf(name, message), ...(meaning === undefined ? {} : { kind: meaning }) };
}

function codeOf(name: string, message: string): { code?: string } {
  const isRejection = EXCEPTIONS.get(name) === 'upstream_rejected' || name === '';
  if (isRejection && CONTEXT_LENGTH.test(message)) return { code: 'context_length_exceeded' };
  return name === '' ? {} : { code: name };
}

/** `ValidationException:http://internal…`, `com.amazon.coral#ValidationException`, and `validationException` of streams. */
function exceptionName(type: string): string {
  const [name = ''] = (type.split('#').at(-1) ?? '').split(':');
  return name.charAt(0).toUpperCase() + name.slice(1);
}
