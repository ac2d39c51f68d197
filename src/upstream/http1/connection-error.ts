/** Why an exchange over HTTP/1.1 failed, where it is not the operating system that says so. */
export type ConnectionErrorCode =
  | 'CONNECT_TIMEOUT'
  | 'NOT_CONNECTED'
  | 'FIRST_BYTE_TIMEOUT'
  | 'IDLE_TIMEOUT'
  | 'CLOSED_EARLY'
  | 'HEADERS_OVERFLOW'
  | 'NOT_HTTP';

export class ConnectionError extends Error {
  readonly code: ConnectionErrorCode;

  constructor(code: ConnectionErrorCode, message: string) {
    super(message);
    this.name = 'ConnectionError';
    this.code = code;
  }
}
