// Who is counted together by --rate-limit, and what a client is told of it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRateOrOff } from '../../../src/config/parse.ts';
import { REJECTIONS } from '../../../src/errors.ts';
import type { ClientConnection } from '../../../src/exchange.ts';
import type { RawHeaders } from '../../../src/http/fields.ts';
import { AddressList, readRange } from '../../../src/net/addresses.ts';
import { ClientRates } from '../../../src/net/client-rates.ts';
import { client } from '../../../src/pipeline/client.ts';
import { createPipeline } from '../../../src/pipeline/pipeline.ts';
import { rateLimit } from '../../../src/pipeline/rate-limit.ts';
import { FakeExchange, type FakeRequest } from './fake-exchange.ts';

const FIELDS = /^(?:retry-after|ratelimit|ratelimit-policy|grpc-retry-pushback-ms)$/i;

/** Behind a proxy at 10.0.0.1 that is trusted. */
function limited(text: string) {
  const settings = { rateLimit: parseRateOrOff(text) };
  const trusted = new AddressList(['10.0.0.1'].map(readRange).filter((range) => typeof range !== 'string'));
  const rates = new ClientRates(() => 0);
  const handler = createPipeline({
    policies: [client(trusted), rateLimit(settings, rates)],
    forwarder: {
      forward(exchange) {
        exchange.answer(200, 'OK', ['X-App', 'yes', ...(exchange.addedToAnswer ?? [])], 0);
        exchange.end(undefined);
      },
    },
    observer: { started() {}, finished() {}, internalError: (_, error) => assert.fail(String(error)) },
    now: () => new Date(0),
  });
  const ask = (request: FakeRequest = {}, grpc = false): FakeExchange => {
    const exchange = new FakeExchange(request);
    exchange.grpc = grpc;
    handler.handle(exchange);
    return exchange;
  };
  const from = (connection: Partial<ClientConnection>, headers: RawHeaders = []): number =>
    ask({ connection, headers }).status;
  return { settings, rates, ask, from };
}

function told({ answerHeaders }: FakeExchange): string[] {
  const lines: string[] = [];
  for (let i = 0; i < answerHeaders.length; i += 2)
    if (FIELDS.test(answerHeaders[i] as string)) lines.push(`${answerHeaders[i]}: ${answerHeaders[i + 1]}`);
  return lines;
}

function verified(name: string): Pick<ClientConnection, 'client'> {
  const certificate = { name, sha256: 'ab', subject: '', commonNames: [], units: [], dns: [], uris: [] };
  return { client: { kind: 'verified', certificate } } as unknown as Pick<ClientConnection, 'client'>;
}

describe('counted together are', () => {
  test('all requests of an address, on whichever connections', () => {
    const { from } = limited('2/s');
    assert.deepEqual(
      Array.from({ length: 4 }, () => from({ remoteAddress: '192.0.2.1' })),
      [200, 200, 429, 429],
    );
    assert.equal(from({ remoteAddress: '192.0.2.2' }), 200);
  });

  test('a network of IPv6 of 64 bits', () => {
    const { from } = limited('2/s');
    const statuses = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:0:0:3', '2001:db8:0:1::1'].map((remoteAddress) =>
      from({ remoteAddress }),
    );
    assert.deepEqual(statuses, [200, 200, 429, 200]);
  });

  test('a verified identity, wherever it comes from, and apart from others at its address', () => {
    const { from } = limited('1/s');
    assert.equal(from({ remoteAddress: '192.0.2.1', ...verified('spiffe://a') }), 200);
    assert.equal(from({ remoteAddress: '192.0.2.2', ...verified('spiffe://a') }), 429);
    assert.equal(from({ remoteAddress: '192.0.2.1', ...verified('spiffe://b') }), 200);
    assert.equal(from({ remoteAddress: '192.0.2.1' }), 200);
  });

  test('whom a trusted proxy names, and nobody whom a stranger names', () => {
    const { from } = limited('1/s');
    const named = (peer: string, hop: string): number =>
      from({ remoteAddress: peer, peerAddress: peer }, ['X-Forwarded-For', hop]);
    assert.deepEqual([named('10.0.0.1', '192.0.2.1'), named('10.0.0.1', '192.0.2.2')], [200, 200]);
    assert.deepEqual([named('10.0.0.1', '192.0.2.1'), named('192.0.2.1', '192.0.2.9')], [429, 429]);
    assert.deepEqual([named('192.0.2.3', '192.0.2.4'), named('192.0.2.3', '192.0.2.5')], [200, 429]);
  });
});

describe('a client is told', () => {
  test('nothing as long as half of its burst is left, and then what is left', () => {
    const { ask } = limited('4/s');
    assert.deepEqual(
      Array.from({ length: 4 }, () => told(ask())),
      [
        [],
        [],
        ['RateLimit-Policy: "tls-sidecar";q=4;w=1', 'RateLimit: "tls-sidecar";r=1;t=1'],
        ['RateLimit-Policy: "tls-sidecar";q=4;w=1', 'RateLimit: "tls-sidecar";r=0;t=1'],
      ],
    );
  });

  test('when it is refused, how long to wait in whole seconds, rounded up', () => {
    for (const [rate, wait, policy] of [
      ['100/s:1', 1, 'q=1;w=1'],
      ['10/m:1', 6, 'q=1;w=6'],
      ['7/m:1', 9, 'q=1;w=9'],
      ['1/h:1', 3600, 'q=1;w=3600'],
      ['10/s:300', 1, 'q=300;w=30'],
    ] as const) {
      const { settings, ask } = limited(rate);
      for (let i = 0; i < (settings.rateLimit?.burst ?? 0); i++) ask();
      const refused = ask();
      assert.equal(refused.status, 429, rate);
      assert.deepEqual(told(refused), [
        `Retry-After: ${wait}`,
        `RateLimit-Policy: "tls-sidecar";${policy}`,
        `RateLimit: "tls-sidecar";r=0;t=${wait}`,
      ]);
    }
  });

  test('the reason, in the words of every rejection', () => {
    const { ask } = limited('1/h');
    ask();
    const { rejection, body, answerHeaders } = ask();
    assert.equal(rejection, REJECTIONS.rate_limited);
    assert.match(body, /^429 rate_limited\n/);
    assert.match(answerHeaders.join('\n'), /tls-sidecar; error=http_request_denied; details="rate_limited"/);
  });

  test('by gRPC with a head alone: the code of a quota, and when to try again', () => {
    const { ask } = limited('30/m:1');
    ask({}, true);
    const refused = ask({}, true);
    assert.deepEqual([refused.calls, refused.status], [['answer 200 OK', 'end'], 429]);
    const head = refused.answerHeaders.join('\n');
    assert.match(head, /^Content-Type\napplication\/grpc\nGrpc-Status\n8\n/);
    assert.deepEqual(told(refused).slice(0, 2), ['Retry-After: 2', 'Grpc-Retry-Pushback-Ms: 2000']);
  });
});

describe('a reload', () => {
  test('changes the rate for all, and takes the limit away', () => {
    const { settings, rates, ask } = limited('1/h');
    const statuses = () => [ask().status, ask().status, ask().status];
    assert.deepEqual(statuses(), [200, 429, 429]);
    settings.rateLimit = parseRateOrOff('1/h');
    assert.deepEqual(statuses(), [429, 429, 429]);
    settings.rateLimit = parseRateOrOff('2/h');
    assert.deepEqual(statuses(), [200, 200, 429]);
    settings.rateLimit = undefined;
    assert.deepEqual(statuses(), [200, 200, 200]);
    assert.equal(rates.size, 0);
  });
});

test('without a limit nobody is remembered', () => {
  const { rates, ask } = limited('off');
  assert.deepEqual([ask().status, rates.size, told(ask())], [200, 0, []]);
});
