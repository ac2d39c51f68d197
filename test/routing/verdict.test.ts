import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictOf } from '../../src/routing/verdict.ts';
import { networkError } from '../../src/upstream/network-errors.ts';

const verdict = (code: string) => verdictOf(networkError('up', Object.assign(new Error(code), { code })));

/** Codes of Node and OpenSSL: nodejs.org/api/tls.html, "X509 certificate error codes", and errors.html. */
const NO_CONNECTION = [
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
  ...['ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_HANDSHAKE_TIMEOUT', 'HOSTNAME_MISMATCH'],
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ...['INVALID_CA', 'INVALID_PURPOSE', 'PATH_LENGTH_EXCEEDED', 'ERROR_IN_CERT_NOT_AFTER_FIELD'],
];

for (const code of NO_CONNECTION) {
  test(`${code}: there was no connection, so nothing at the same address can be reached`, () => {
    assert.deepEqual(verdict(code), { next: 'target', again: true, says: 'failing', unreachable: true });
  });
}

test('what breaks a connection that stood says nothing of others', () => {
  const failing = { next: 'target', again: true, says: 'failing' };
  assert.deepEqual(verdict('NOT_HTTP'), failing);
  for (const code of ['ECONNRESET', 'EPIPE', 'CLOSED_EARLY']) {
    assert.deepEqual(verdict(code), { ...failing, lost: true }, code);
  }
});
