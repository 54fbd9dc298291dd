// What a span says: the words of the conventions, no more than the log does, and no text of a client that is not cut.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { REJECTIONS } from '../../../../src/errors.ts';
import { isError, spanAttributes, spanName } from '../../../../src/observe/traces/attributes.ts';
import { FakeExchange, type FakeRequest } from '../../pipeline/fake-exchange.ts';

function ended(request: FakeRequest, outcome: Partial<FakeExchange> = {}): FakeExchange {
  return Object.assign(new FakeExchange(request), { host: 'example.com', status: 200, answered: true }, outcome);
}

describe('a span', () => {
  test('is named by its method, and never by what a client made up', () => {
    assert.equal(spanName(ended({ method: 'PATCH' })), 'PATCH');
    assert.equal(spanName(ended({ method: 'BREW' })), 'HTTP');
    assert.equal(spanName(ended({ method: 'CONNECT', connectProtocol: 'websocket' })), 'GET');
  });

  test('says server and port as the client asked for them', () => {
    const serverOf = (host: string) => {
      const { 'server.address': address, 'server.port': port } = spanAttributes(ended({}, { host }));
      return [address, port];
    };
    assert.deepEqual(serverOf('example.com'), ['example.com', undefined]);
    assert.deepEqual(serverOf('example.com:8443'), ['example.com', 8443]);
    assert.deepEqual(serverOf('[2001:db8::1]:8443'), ['2001:db8::1', 8443]);
    for (const host of ['', 'user:secret@host', 'a:b:c', 'a/b?c'])
      assert.deepEqual(serverOf(host), [undefined, undefined]);
  });

  test('says who the peer is where it is not the client', () => {
    const peerOf = (client: string) => spanAttributes(ended({}, { client }))['network.peer.address'];
    assert.equal(peerOf('192.0.2.7'), undefined);
    assert.equal(peerOf('198.51.100.1'), '192.0.2.7');
  });

  test('has no status where nothing was answered, and no path where the target is none', () => {
    const gone = spanAttributes(
      ended({ target: 'http://user:secret@a/' }, { answered: false, status: 499, rejection: REJECTIONS.client_gone }),
    );
    assert.equal(gone['http.response.status_code'], undefined);
    assert.equal(gone['url.path'], undefined);
    assert.equal(gone['error.type'], 'client_gone');
    assert.ok(!JSON.stringify(gone).includes('secret'));
  });

  test('is an error where the app or the sidecar failed, not where the client did', () => {
    const rows = [
      [{ status: 200 }, false, undefined],
      [{ status: 404 }, false, undefined],
      [{ status: 500 }, true, '500'],
      [{ status: 400, rejection: REJECTIONS.bad_host }, false, 'bad_host'],
      [{ status: 308, rejection: REJECTIONS.plaintext_redirect }, false, undefined],
      [{ status: 502, rejection: REJECTIONS.upstream_refused }, true, 'upstream_refused'],
      // Cut after its head.
      [{ status: 200, rejection: REJECTIONS.upstream_timeout }, true, 'upstream_timeout'],
      [{ status: 200, rejection: REJECTIONS.client_gone }, false, 'client_gone'],
    ] as const;
    for (const [outcome, error, type] of rows) {
      const exchange = ended({}, outcome);
      assert.deepEqual([isError(exchange), spanAttributes(exchange)['error.type']], [error, type]);
    }
  });

  test('is of a few kilobytes at most, whatever was sent', () => {
    const long = 'x'.repeat(100_000);
    const attributes = spanAttributes(ended({ method: long, target: `/${long}?${long}` }, { host: long }));
    assert.ok(JSON.stringify(attributes).length < 4096);
    assert.equal(attributes['http.request.method'], '_OTHER');
  });
});
