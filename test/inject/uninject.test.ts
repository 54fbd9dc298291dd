// What uninject does where somebody went on with the injected text: it takes out what inject put there, and nothing else.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inject } from '../../src/inject/inject.ts';
import { readSettings } from '../../src/inject/options.ts';
import { uninject } from '../../src/inject/uninject.ts';

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: app
          image: app:1
          ports:
            - name: http
              containerPort: 3000
          readinessProbe:
            httpGet:
              path: /ready
              port: http
`;
const service = `apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
    - port: 80
      targetPort: http
`;

const injectInto = (text: string, mode = 'target-port'): string =>
  inject(text, readSettings({ secret: ['web-tls'], mode: [mode] }, '0.1.0', []), 'stdin').text;

/** What is left after `change`, which must have changed something. */
function after(text: string, change: (text: string) => string, mode?: string): ReturnType<typeof uninject> {
  const injected = injectInto(text, mode);
  const changed = change(injected);
  assert.notEqual(changed, injected);
  return uninject(changed, 'stdin');
}

describe('uninject leaves', () => {
  test('a change beside the sidecar', () => {
    const { text } = after(deployment, (all) => all.replace('replicas: 1', 'replicas: 3').replace('app:1', 'app:2'));
    assert.equal(text, deployment.replace('replicas: 1', 'replicas: 3').replace('app:1', 'app:2'));
  });

  test('a volume in the list that came with the sidecar', () => {
    const own = '        - name: data\n          emptyDir: {}\n';
    const { text } = after(deployment, (all) => all.replace('      containers:\n        - name: app', `${own}$&`));
    assert.equal(text, deployment.replace('      containers:\n', `      volumes:\n${own}$&`));
  });

  test('a container in the list that came with the sidecar', () => {
    const own = '        - name: wait\n          image: wait:1\n';
    const { text } = after(deployment, (all) => all.replace('      volumes:\n', `${own}$&`));
    assert.equal(text, deployment.replace('      containers:\n', `      initContainers:\n${own}$&`));
  });

  test('an annotation in the map that came with the sidecar', () => {
    const { text } = after(deployment, (all) => all.replace(/( +)tls-sidecar.dev\/injected/, '$1mine: here\n$&'));
    assert.equal(text, deployment.replace('      labels', '      annotations:\n        mine: here\n      labels'));
  });

  test('a hook beside that of the sidecar', () => {
    const { text } = after(deployment, (all) =>
      all.replace(
        /( +)lifecycle:\n( +)preStop:\n( +)sleep/,
        '$1lifecycle:\n$2postStart: {exec: {command: [a]}}\n$2preStop:\n$3sleep',
      ),
    );
    const own = '          lifecycle:\n            postStart: {exec: {command: [a]}}\n';
    assert.equal(text, deployment.replace('          readinessProbe', `${own}$&`));
  });

  test('a probe that was changed since, and tells', () => {
    const { text, report } = after(
      deployment,
      (all) => all.replace('path: /probe/http/3000/ready', 'path: /other'),
      'redirect',
    );
    assert.equal(text, deployment.replace('/ready', '/other'));
    assert.deepEqual(report, [
      'uninjected Deployment/web',
      'note on Deployment/web: /spec/template/spec/containers/app/readinessProbe/httpGet/path was changed since, and stays as it is',
    ]);
  });

  test('a probe that was taken out since, and tells', () => {
    const { text, report } = after(
      deployment,
      (all) => all.replace(/ +readinessProbe:\n.*httpGet:\n.*\n.*\n$/m, ''),
      'redirect',
    );
    assert.equal(text, deployment.replace(/ +readinessProbe:.*/s, ''));
    assert.equal(report.length, 3);
  });

  test('the port of a Service that leads elsewhere by now, and tells', () => {
    const { text, report } = after(`${deployment}---\n${service}`, (all) =>
      all.replace('targetPort: 8080', 'targetPort: 9000'),
    );
    assert.equal(text, `${deployment}---\n${service.replace('targetPort: http', 'targetPort: 9000')}`);
    assert.match(report.join('\n'), /note on Service\/web: \/spec\/ports\/0\/targetPort was changed since/);
  });
});

test('uninject takes the sidecar out with all that was changed in it', () => {
  const { text } = after(deployment, (all) =>
    all
      .replace('tls-sidecar:0.1.0', 'tls-sidecar:0.2.0 # newer')
      .replace('          restartPolicy: Always\n', '$&          # for now\n          tty: true\n'),
  );
  assert.equal(text, deployment);
});

test('uninject takes out what stands at the end of a file by now, with the line break before it', () => {
  const injected = injectInto(deployment).replaceAll('\n', '\r\n');
  const [volumes = ''] = / {6}volumes:\r\n(?:.*\r\n){3}/.exec(injected) ?? [];
  const moved = `${injected.replace(volumes, '')}${volumes.trimEnd()}`;
  assert.equal(uninject(moved, 'stdin').text, deployment.replaceAll('\n', '\r\n').trimEnd());
});

test('uninject says so where nothing was injected', () => {
  assert.deepEqual(uninject(deployment, 'stdin'), { text: deployment, report: ['nothing here was injected'] });
});
