// What flags, annotations and the app's own settings lead to: one row a rule that the golden files do not show.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { applyPatch } from '../../src/inject/edits/json-patch.ts';
import { get, type JsonObject, listAt } from '../../src/inject/edits/objects.ts';
import { injectObject } from '../../src/inject/object.ts';
import { readSettings } from '../../src/inject/options.ts';

type Flags = Readonly<Record<string, readonly string[]>>;
type Container = { [key: string]: unknown };

const REDIRECT: Flags = { mode: ['redirect'] };

function pod(container: Container, spec: object = {}, annotations: object = {}): JsonObject {
  const app = { name: 'app', image: 'app:1', ports: [{ name: 'http', containerPort: 3000 }], ...container };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', annotations },
    spec: { containers: [app], ...spec },
  };
}

function run(object: JsonObject, flags: Flags = {}) {
  const settings = readSettings({ secret: ['web-tls'], ...flags }, '0.1.0', []);
  const { plan, patch } = injectObject(object, settings);
  const result = applyPatch(object, patch);
  const containers = listAt(result, ['spec', 'initContainers']) as Container[];
  const sidecar = containers.find(({ name }) => name === 'tls-sidecar');
  const env = Object.fromEntries(listAt(sidecar, ['env']).map((one) => [get(one, ['name']), get(one, ['value'])]));
  return { plan, result, containers, sidecar, env, app: get(result, ['spec', 'containers', 0]) as Container };
}

/** The one problem of a refusal. */
function problemOf(object: JsonObject, flags?: Flags): string {
  const { plan } = run(object, flags);
  assert.equal(plan.kind, 'refusal');
  return plan.kind === 'refusal' ? plan.problems.join('\n') : '';
}

describe('annotations', () => {
  test('win over the flags', () => {
    const { containers, env, result } = run(
      pod(
        {},
        {},
        {
          'tls-sidecar.dev/mode': 'redirect',
          'tls-sidecar.dev/secret': 'other',
          'tls-sidecar.dev/image': 'mine:2',
          'tls-sidecar.dev/ports': 'http, 9090:9443',
          'tls-sidecar.dev/options': 'drain-delay=2s allow-dns=a,b',
        },
      ),
    );
    assert.deepEqual(
      containers.map(({ name, image }) => [name, image]),
      [
        ['tls-sidecar-init', 'tls-sidecar-init:0.1.0'],
        ['tls-sidecar', 'mine:2'],
      ],
    );
    assert.equal(get(result, ['spec', 'volumes', 0, 'secret', 'secretName']), 'other');
    assert.equal(env.TLS_SIDECAR_LISTEN, ':8080,:9443');
    assert.equal(env.TLS_SIDECAR_UPSTREAM, 'http://localhost:3000,http://localhost:9090');
    assert.equal(env.TLS_SIDECAR_DRAIN_DELAY, '2s');
    assert.equal(env.TLS_SIDECAR_ALLOW_DNS, 'a,b');
    assert.equal(get(containers[0], ['env', 0, 'value']), '3000:8080,9090:9443');
  });

  const wrong: readonly (readonly [name: string, value: string, problem: RegExp])[] = [
    ['inject', 'False', /takes "true" or "false"; it says "False"/],
    ['mode', 'redirekt', /takes target-port or redirect; it says "redirekt"/],
    ['ports', '80:80', /takes a port from 1024 to 65535/],
    ['ports', '80,80', /takes each port once, not 80 twice/],
    ['secret', 'Web', /takes the name of a Secret/],
    ['options', 'idle-timeout', /name=value, apart by blanks; "idle-timeout" is none/],
    ['options', 'idle-timout=1s', /there is no "idle-timout"; did you mean idle-timeout\?/],
    ['options', 'idle-timeout=1', /for idle-timeout a duration with its unit/],
    ['options', 'upstream=http://a', /no option upstream: inject sets it from its own flags/],
    ['port', '80', /there is no annotation tls-sidecar.dev\/port; there are inject, mode/],
  ];
  for (const [name, value, problem] of wrong) {
    test(`that are wrong are told: ${name}: ${value}`, () => {
      assert.match(problemOf(pod({}, {}, { [`tls-sidecar.dev/${name}`]: value })), problem);
    });
  }
});

describe('ports', () => {
  test('that are the same for app and sidecar are told, with the way out', () => {
    const on8080 = pod({ ports: [{ containerPort: 8080 }] });
    assert.match(problemOf(on8080), /port 8080: container "app" uses it; choose another with --listen-port 8443/);
    assert.equal(run(on8080, { 'listen-port': ['8443'] }).plan.kind, 'injection');
  });

  test('where the app has the admin port are told, with the way out', () => {
    const on9901 = pod({ ports: [{ containerPort: 80 }, { containerPort: 9901 }] });
    assert.match(problemOf(on9901), /uses port 9901, .*: choose another with --admin-port/);
    const { sidecar, env } = run(on9901, { 'admin-port': ['9902'] });
    assert.equal(env.TLS_SIDECAR_ADMIN, ':9902');
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      assert.equal(get(sidecar, [probe, 'httpGet', 'port']), 9902);
  });

  test('that are named, and nowhere, are told', () => {
    assert.match(problemOf(pod({}), { 'app-port': ['grpc'] }), /no container has a port named "grpc"; give its number/);
  });

  test('of UDP do not count, and no port at all is a reason to skip', () => {
    const { plan } = run(pod({ ports: [{ containerPort: 53, protocol: 'UDP' }] }));
    assert.deepEqual(plan, {
      kind: 'skip',
      reason: 'container "app" declares no TCP port; name it with --app-port or the annotation tls-sidecar.dev/ports',
    });
  });

  test('of the sidecar have names that the Pod has not yet', () => {
    const { sidecar } = run(pod({ ports: [{ name: 'https', containerPort: 3000 }] }));
    assert.deepEqual(sidecar?.ports, [
      { name: 'tls-https', containerPort: 8080 },
      { name: 'tls-metrics', containerPort: 9901 },
    ]);
  });
});

describe('probes in redirect mode', () => {
  const probe = (handler: object) => ({ readinessProbe: { ...handler, periodSeconds: 7 } });

  test('keep their headers and timings, and declare them to the sidecar', () => {
    const httpHeaders = [{ name: 'X-A', value: 'b' }];
    const { app, env } = run(pod(probe({ httpGet: { path: '/ok', port: 'http', httpHeaders } })), REDIRECT);
    assert.deepEqual(app.readinessProbe, {
      httpGet: { path: '/probe/http/3000/ok', port: 9901, httpHeaders },
      periodSeconds: 7,
    });
    assert.equal(env.TLS_SIDECAR_PROBE, 'http:3000/ok;X-A=b');
  });

  test('are arguments where a comma is in them, and never a reference to a variable', () => {
    const { sidecar, env } = run(pod(probe({ httpGet: { path: '/a,$(HOME)', port: 3000 } })), REDIRECT);
    assert.deepEqual(sidecar?.args, ['--probe=http:3000/a,$$(HOME)']);
    assert.equal(env.TLS_SIDECAR_PROBE, undefined);
  });

  const left: readonly (readonly [what: string, handler: object])[] = [
    ['another port', { httpGet: { path: '/', port: 9 } }],
    ['another host', { httpGet: { path: '/', port: 3000, host: '10.0.0.1' } }],
    ['a command', { exec: { command: ['true'] } }],
    ['a port name that no container has', { tcpSocket: { port: 'nope' } }],
  ];
  for (const [what, handler] of left) {
    test(`stay as they are: ${what}`, () => {
      const { app, env } = run(pod(probe(handler)), REDIRECT);
      assert.deepEqual(app.readinessProbe, probe(handler).readinessProbe);
      assert.equal(env.TLS_SIDECAR_PROBE, undefined);
    });
  }

  test('stay as they are with --probes keep, and in target-port mode', () => {
    const object = pod(probe({ tcpSocket: { port: 3000 } }));
    for (const flags of [{ ...REDIRECT, probes: ['keep'] }, {}]) {
      assert.deepEqual(run(object, flags).app.readinessProbe, { tcpSocket: { port: 3000 }, periodSeconds: 7 });
    }
  });

  test('that are kept are worth a note in redirect mode only', () => {
    const object = pod(probe({ tcpSocket: { port: 3000 } }));
    const notes = (flags: Flags) => {
      const { plan } = run(object, flags);
      return plan.kind === 'injection' ? plan.notes.join() : '';
    };
    assert.match(notes({ ...REDIRECT, probes: ['keep'] }), /^--probes keep: its probes of a captured port meet TLS/);
    assert.equal(notes(REDIRECT), '');
    assert.equal(notes({ probes: ['keep'] }), '');
  });

  test('that cannot be declared are told', () => {
    const httpHeaders = [{ name: 'Accept', value: 'a;q=1' }];
    assert.match(
      problemOf(pod(probe({ httpGet: { port: 3000, httpHeaders } })), REDIRECT),
      /the readinessProbe of container "app" has a ";" in its path or headers/,
    );
  });
});

describe("the app's own settings", () => {
  test('win over the defaults of an injection', () => {
    const own = { enableServiceLinks: true, terminationGracePeriodSeconds: 100 };
    const { result, app } = run(pod({ lifecycle: { preStop: { exec: { command: ['true'] } } } }, own));
    assert.equal(get(result, ['spec', 'enableServiceLinks']), true);
    assert.equal(get(result, ['spec', 'terminationGracePeriodSeconds']), 100);
    assert.deepEqual(app.lifecycle, { preStop: { exec: { command: ['true'] } } });
  });

  test('get no sleep when it is off', () => {
    assert.equal(run(pod({}), { 'app-prestop-sleep': ['0'] }).app.lifecycle, undefined);
  });

  const skipped: readonly (readonly [spec: object, annotations: object, reason: RegExp])[] = [
    [{ hostNetwork: true }, {}, /^hostNetwork/],
    [{ os: { name: 'windows' } }, {}, /Linux/],
    [{}, { 'tls-sidecar.dev/inject': 'false' }, /^opted out/],
    [{}, { 'tls-sidecar.dev/injected': '0.0.9' }, /^the sidecar is there already \(version 0\.0\.9\)/],
    [{}, { 'kubernetes.io/config.mirror': 'x' }, /^a mirror Pod/],
    [{ containers: [] }, {}, /^has no containers/],
  ];
  for (const [spec, annotations, reason] of skipped) {
    test(`are a reason to skip: ${JSON.stringify({ ...spec, ...annotations })}`, () => {
      const { plan, result } = run(pod({}, spec, annotations));
      assert.ok(plan.kind === 'skip');
      assert.match(plan.reason, reason);
      assert.deepEqual(result, pod({}, spec, annotations));
    });
  }

  test('a container that is not there, by --container, is a reason to skip', () => {
    const { plan } = run(pod({}), { container: ['other'] });
    assert.deepEqual(plan, { kind: 'skip', reason: 'has no container "other" (--container)' });
  });
});

test("the sidecar stands after the init container and before the Pod's own", () => {
  const { containers } = run(pod({}, { initContainers: [{ name: 'wait', image: 'wait:1' }] }), REDIRECT);
  assert.deepEqual(
    containers.map(({ name }) => name),
    ['tls-sidecar-init', 'tls-sidecar', 'wait'],
  );
});
