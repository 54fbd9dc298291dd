// The chart of k8s/, included by an app's chart as its first comment says: rendered by helm, read by kubectl's own types.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type JsonObject, listAt, objectAt } from '../../../src/inject/edits/objects.ts';
import { type KubernetesObject, unknownTo } from '../../support/kubectl.ts';
import { needs } from '../../support/needs.ts';
import { KUBECTLS } from '../../support/peers.ts';
import { judge } from '../../support/pod-security.ts';

const root = new URL('../../../', import.meta.url);
const chart = fileURLToPath(new URL('k8s/chart', root));
const work = mkdtempSync(join(tmpdir(), 'tls-sidecar-chart-'));
after(() => rmSync(work, { recursive: true, force: true }));

const POD = ['spec', 'template', 'spec'];
const SAFE =
  '{ runAsUser: 10001, runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: { drop: [ALL] }, seccompProfile: { type: RuntimeDefault } }';
const TEMPLATE = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      initContainers:
        {{- include "tls-sidecar.initContainers" . | nindent 8 }}
      containers:
        - name: app
          image: app:1
          securityContext: ${SAFE}
          lifecycle:
            {{- include "tls-sidecar.appLifecycle" . | nindent 12 }}
      volumes:
        {{- include "tls-sidecar.volumes" . | nindent 8 }}
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 443, targetPort: {{ include "tls-sidecar.targetPort" . }} }] }
`;

function appChart(): string {
  mkdirSync(join(work, 'templates'), { recursive: true });
  cpSync(chart, join(work, 'charts', 'tls-sidecar'), { recursive: true });
  writeFileSync(
    join(work, 'Chart.yaml'),
    'apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{ name: tls-sidecar, version: 0.1.0 }]\n',
  );
  writeFileSync(join(work, 'values.yaml'), 'tls-sidecar: { secret: web-tls, appPort: 3000 }\n');
  writeFileSync(join(work, 'templates', 'web.yaml'), TEMPLATE);
  return work;
}

function helm(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('helm', args, { encoding: 'utf8' });
}

type Rendered = { objects: (KubernetesObject & JsonObject)[]; pod: JsonObject; targetPort: unknown };

function render(...values: string[]): Rendered {
  const { status, stdout, stderr } = helm('template', 'web', appChart(), ...values.flatMap((one) => ['--set', one]));
  assert.equal(status, 0, stderr);
  const objects = parseAllDocuments(stdout, { version: '1.1' }).map(
    (one) => one.toJS() as KubernetesObject & JsonObject,
  );
  const deployment = objects.find(({ kind }) => kind === 'Deployment');
  const service = objects.find(({ kind }) => kind === 'Service');
  const [port] = listAt(service, ['spec', 'ports']) as JsonObject[];
  return { objects, pod: objectAt(deployment, POD), targetPort: port?.targetPort };
}

function refusal(value: string): string {
  const { status, stderr } = helm('template', 'web', appChart(), '--set', value);
  assert.notEqual(status, 0, `${value} is refused`);
  return stderr;
}

const names = (pod: JsonObject): unknown[] => (listAt(pod, ['initContainers']) as JsonObject[]).map(({ name }) => name);

/** The sidecar's own, by variable. */
function variables(pod: JsonObject): Map<unknown, unknown> {
  const sidecar = (listAt(pod, ['initContainers']) as JsonObject[]).find(({ name }) => name === 'tls-sidecar');
  return new Map((listAt(sidecar, ['env']) as JsonObject[]).map(({ name, value }) => [name, value]));
}

describe('the chart', () => {
  test('has the version of the program everywhere', () => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
    const text = readFileSync(join(chart, 'Chart.yaml'), 'utf8');
    assert.match(text, new RegExp(`^version: ${version}\nappVersion: ${version}$`, 'm'));
    assert.ok(readFileSync(join(chart, 'templates/_sidecar.tpl'), 'utf8').includes(`default "${version}"`));
  });

  test('passes helm lint, alone and in the chart of an app', (t) => {
    if (!needs(t, 'helm')) return;
    for (const folder of [chart, appChart()]) {
      const { status, stdout } = helm('lint', '--strict', folder);
      assert.equal(status, 0, stdout);
    }
  });

  test('has the sidecar of deployment.yaml, with the two ports said', (t) => {
    if (!needs(t, 'helm')) return;
    const [deployment] = parseAllDocuments(readFileSync(new URL('k8s/deployment.yaml', root), 'utf8'), {
      version: '1.1',
    });
    const [expected] = listAt(deployment?.toJS(), [...POD, 'initContainers']) as JsonObject[];
    const { pod, targetPort } = render();
    const [sidecar, ...rest] = listAt(pod, ['initContainers']) as JsonObject[];
    const env = [
      { name: 'TLS_SIDECAR_LISTEN', value: ':8080' },
      { name: 'TLS_SIDECAR_ADMIN', value: ':9901' },
      ...listAt(expected, ['env']),
    ];
    assert.deepEqual(sidecar, { ...expected, env });
    assert.deepEqual(rest, []);
    assert.equal(targetPort, 8080);
  });

  for (const mode of ['target-port', 'redirect'] as const) {
    for (const kubectl of KUBECTLS) {
      test(`${kubectl} knows every field in mode ${mode}`, (t) => {
        if (!needs(t, 'helm', kubectl)) return;
        const { objects } = render(`tls-sidecar.mode=${mode}`);
        for (const object of objects) assert.deepEqual(unknownTo(kubectl, object), [], object.kind);
      });
    }
  }

  test('passes "restricted" in target-port mode, and adds one capability in redirect mode', (t) => {
    if (!needs(t, 'helm')) return;
    assert.deepEqual(judge(render().pod), { baseline: [], restricted: [] });
    const { pod, targetPort } = render('tls-sidecar.mode=redirect');
    assert.deepEqual(judge(pod).baseline, ['tls-sidecar-init: capabilities.add NET_ADMIN']);
    assert.deepEqual(names(pod), ['tls-sidecar-init', 'tls-sidecar']);
    assert.equal(targetPort, 3000);
  });

  test('writes options as text, large numbers too', (t) => {
    if (!needs(t, 'helm')) return;
    const { pod } = render('tls-sidecar.options.http2=false', 'tls-sidecar.options.max-connections=1000000');
    assert.equal(variables(pod).get('TLS_SIDECAR_HTTP2'), 'false');
    assert.equal(variables(pod).get('TLS_SIDECAR_MAX_CONNECTIONS'), '1000000');
  });

  test('refuses what cannot work, and says what to do', (t) => {
    if (!needs(t, 'helm')) return;
    assert.match(refusal('tls-sidecar.secret='), /tls-sidecar\.secret is not set: name the Secret/);
    assert.match(refusal('tls-sidecar.mode=ambient'), /'\/mode': value must be one of 'target-port', 'redirect'/);
    assert.match(refusal('tls-sidecar.appPort=8080'), /appPort 8080 is the sidecar's own port/);
    assert.match(refusal('tls-sidecar.port=443'), /'\/port'/);
    assert.match(refusal('tls-sidecar.secretName=x'), /additional properties 'secretName' not allowed/);
  });
});
