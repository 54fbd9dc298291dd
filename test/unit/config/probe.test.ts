// What --probe takes: kinds, ports, paths and headers, and under which path of the admin port it is asked for.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadConfig } from '../../../src/config/config.ts';
import { describeGiven } from '../../../src/config/given.ts';
import { Malformed } from '../../../src/config/parse.ts';
import { parseProbe, pathOfProbe, serviceOf } from '../../../src/config/probe.ts';
import { ConfigError } from '../../../src/errors.ts';

describe('a probe', () => {
  for (const [text, path, headers = []] of [
    ['http:80', '/probe/http/80'],
    ['http:80/', '/probe/http/80/'],
    ['http:8080/healthz', '/probe/http/8080/healthz'],
    ['http:80/a/b?x=1&y=%20', '/probe/http/80/a/b?x=1&y=%20'],
    ['https:8443/live', '/probe/https/8443/live'],
    ['tcp:5432', '/probe/tcp/5432'],
    ['grpc:9000', '/probe/grpc/9000'],
    ['grpc:9000/shop.v1.Orders', '/probe/grpc/9000/shop.v1.Orders'],
    ['http:80/h;Host=shop.example', '/probe/http/80/h', ['Host', 'shop.example']],
    ['http:80;X-A=1;X-A=2', '/probe/http/80', ['X-A', '1', 'X-A', '2']],
    ['http:80/h;Accept=text/html%3Bq=0.9%2C */*', '/probe/http/80/h', ['Accept', 'text/html;q=0.9, */*']],
    ['http:80/h;Accept=', '/probe/http/80/h', ['Accept', '']],
    ['http:80/h;X=a=b', '/probe/http/80/h', ['X', 'a=b']],
  ] as const) {
    test(`of ${text} is asked for as ${path}`, () => {
      const probe = parseProbe(text);
      assert.equal(pathOfProbe(probe), path);
      assert.deepEqual(probe.headers, headers);
    });
  }

  for (const [text, what] of [
    ['', /KIND:PORT/],
    ['80', /KIND:PORT/],
    ['http', /KIND:PORT/],
    ['http:0/', /KIND:PORT/],
    ['http:65536/', /KIND:PORT/],
    ['http:web/', /KIND:PORT/],
    ['udp:53', /KIND:PORT/],
    ['HTTP:80', /KIND:PORT/],
    ['http:80healthz', /KIND:PORT/],
    ['http:80/a b', /KIND:PORT/],
    ['http:80/a\r\nX: 1', /KIND:PORT/],
    ['http:80/ü', /KIND:PORT/],
    ['http:80/a#b', /without #/],
    ['tcp:5432/x', /tcp:PORT without a path/],
    ['tcp:5432;X=1', /without headers/],
    ['grpc:9000;X=1', /without headers/],
    ['grpc:9000/%zz', /%25/],
    ['http:80/h;X', /;Name=value/],
    ['http:80/h;=1', /;Name=value/],
    ['http:80/h;X=%zz', /%25/],
    ['http:80/h;X=a%0d%0aY: 1', /visible ASCII/],
    ['http:80/h;Content-Length=5', /Content-Length does not/],
    ['http:80/h;transfer-encoding=chunked', /transfer-encoding does not/],
  ] as const) {
    test(`is refused as ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseProbe(text),
        (error) => error instanceof Malformed && what.test(error.message),
      );
    });
  }

  test('of gRPC names the service behind the port, with any characters', () => {
    assert.equal(serviceOf(parseProbe('grpc:9000')), '');
    assert.equal(serviceOf(parseProbe('grpc:9000/a.B')), 'a.B');
    assert.equal(serviceOf(parseProbe('grpc:9000/a%2Cb%20c/d')), 'a,b c/d');
  });
});

describe('probes in the configuration', () => {
  const problemsOf = (probe: string[], flags = {}): readonly string[] => {
    try {
      loadConfig({ probe, ...flags }, {}, undefined);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
    return [];
  };

  for (const [what, probe, flags, problem] of [
    ['ask the admin port', ['http:9901/livez'], {}, /http:9901 is a port of the sidecar/],
    ['ask the port of TLS', ['tcp:8080'], {}, /tcp:8080 is a port of the sidecar/],
    ['cannot be asked for', ['tcp:5432'], { admin: 'off' }, /--admin is off/],
    ['are the same with other headers', ['http:80/h;A=1', 'http:80/h;A=2'], {}, /http:80\/h is given twice/],
  ] as const) {
    test(`that ${what} are an error`, () => {
      const problems = problemsOf([...probe], flags);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', problem);
    });
  }

  test('may be given twice alike', () => {
    assert.deepEqual(problemsOf(['http:80/h;A=1', 'http:80/h;A=1', 'http:80/other']), []);
  });

  test('are told without the values of their headers, which may be credentials', () => {
    const texts = ['http:80/h;Authorization=Bearer secret;A=', 'tcp:5432'];
    const { config, given } = loadConfig({ probe: texts }, {}, undefined);
    assert.deepEqual(describeGiven(config, given).probe?.value, ['http:80/h;Authorization=…;A=', 'tcp:5432']);
    assert.equal(config.probe[0]?.headers[1], 'Bearer secret');
    const [problem = ''] = problemsOf(['http:99999/h;Authorization=Bearer secret']);
    assert.ok(problem.includes('http:99999/h;Authorization=…') && !problem.includes('secret'), problem);
  });

  test('come from the environment separated by commas', () => {
    const env = { TLS_SIDECAR_PROBE: 'http:80/healthz, tcp:5432' };
    assert.deepEqual(loadConfig({}, env, undefined).config.probe.map(pathOfProbe), [
      '/probe/http/80/healthz',
      '/probe/tcp/5432',
    ]);
  });
});
