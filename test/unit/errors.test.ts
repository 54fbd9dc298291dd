// The table of rejections: what a client, a log and a metric may rely on for every one of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, errorCode, REJECTIONS } from '../../src/errors.ts';

/** RFC 9209 section 2.3 and the IANA registry of HTTP proxy error types. */
const REGISTERED = [
  'dns_timeout',
  'dns_error',
  'destination_not_found',
  'destination_unavailable',
  'destination_ip_prohibited',
  'destination_ip_unroutable',
  'connection_refused',
  'connection_terminated',
  'connection_timeout',
  'connection_read_timeout',
  'connection_write_timeout',
  'connection_limit_reached',
  'tls_protocol_error',
  'tls_certificate_error',
  'tls_alert_received',
  'http_request_error',
  'http_request_denied',
  'http_response_incomplete',
  'http_response_header_section_size',
  'http_response_header_size',
  'http_response_body_size',
  'http_response_trailer_section_size',
  'http_response_trailer_size',
  'http_response_transfer_coding',
  'http_response_content_coding',
  'http_response_timeout',
  'http_upgrade_failed',
  'http_protocol_error',
  'proxy_internal_response',
  'proxy_internal_error',
  'proxy_configuration_error',
  'proxy_loop_detected',
];

describe('every rejection', () => {
  const all = Object.entries(REJECTIONS);

  test('stands under its own reason, which is one lower-case word', () => {
    assert.ok(all.length > 20);
    for (const [reason, rejection] of all) {
      assert.equal(rejection.reason, reason);
      assert.match(reason, /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/);
    }
    assert.equal(new Set(all.map(([, { reason }]) => reason)).size, all.length);
  });

  for (const [reason, { status, error, side, text, advice }] of all) {
    test(`${reason} has a status, a registered type, a side and a sentence`, () => {
      assert.ok(Number.isInteger(status) && status >= 308 && status <= 599, `status ${status}`);
      assert.ok(REGISTERED.includes(error), `not registered: ${error}`);
      assert.ok(['client', 'upstream', 'sidecar'].includes(side));
      // A question may end what begins as a sentence.
      assert.match(text, /^[A-Z][^\n\r]*[.?]$/);
      assert.ok(text.includes('. ') || text.endsWith('.'), 'no sentence');
      assert.match(text, /^[\x20-\x7e]+$/);
      assert.match(advice, /^[A-Z][^\n\r]*[.?]$/);
    });
  }

  test('blames the client below 500 and never for what the app or the sidecar did', () => {
    for (const [reason, { status, side }] of all) {
      if (status < 500) assert.equal(side, 'client', reason);
      if (side !== 'client') assert.ok(status >= 500, reason);
    }
  });

  test('is frozen, and so is the table', () => {
    assert.ok(Object.isFrozen(REJECTIONS));
    for (const [reason, rejection] of all) assert.ok(Object.isFrozen(rejection), reason);
  });

  test('has a text of its own', () => {
    assert.equal(new Set(all.map(([, { text }]) => text)).size, all.length);
  });
});

describe('a ConfigError', () => {
  test('holds every problem, a line each, and its cause', () => {
    const cause = new Error('why');
    const error = new ConfigError(['one', 'two'], { cause });
    assert.deepEqual([error.name, error.message, error.problems], ['ConfigError', 'one\ntwo', ['one', 'two']]);
    assert.equal(error.cause, cause);
    assert.ok(error instanceof Error);
  });
});

describe('the code of an error', () => {
  const rows: readonly (readonly [what: string, error: unknown, code: string])[] = [
    ['a system error', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    ['an error without one', new Error('x'), ''],
    ['an error whose code is a number', Object.assign(new Error('x'), { code: 7 }), ''],
    ['something that is no error', { code: 'ECONNREFUSED' }, ''],
    ['undefined', undefined, ''],
    ['null', null, ''],
  ];
  for (const [what, error, code] of rows) test(`of ${what} is "${code}"`, () => assert.equal(errorCode(error), code));
});
