// The manifests of k8s/ hold what the documentation says of them: names, ports, probes, privileges, and options that
// exist. Read as YAML 1.1, the way Kubernetes reads them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';

type Probe = { httpGet?: { path: string; port: unknown } };
type SecurityContext = {
  runAsUser?: number;
  runAsNonRoot?: boolean;
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  capabilities?: { drop?: string[]; add?: string[] };
  seccompProfile?: { type?: string };
};
type Container = {
  name: string;
  image: string;
  restartPolicy?: string;
  args?: string[];
  env?: { name: string; value?: unknown; valueFrom?: { fieldRef?: { fieldPath: string } } }[];
  ports?: { name: string; containerPort: unknown }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  lifecycle?: { preStop?: { sleep?: { seconds: number } } };
  securityContext?: SecurityContext;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean; subPath?: string }[];
};
type Pod = {
  kind: 'Pod';
  metadata: { name: string; labels: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    automountServiceAccountToken?: boolean;
    enableServiceLinks?: boolean;
    hostNetwork?: boolean;
    terminationGracePeriodSeconds?: number;
    initContainers?: Container[];
    containers: Container[];
    volumes?: { name: string; secret?: { secretName: string } }[];
  };
};
type Service = {
  kind: 'Service';
  metadata: { name: string };
  spec: { type: string; selector: Record<string, string>; ports: { port: number; targetPort: unknown }[] };
};

const root = new URL('../../../', import.meta.url);
const folder = new URL('k8s/', root);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
const files = ['app.yaml', 'redirect.yaml', 'two-containers.yaml'];

/** The sidecar's options that a manifest may set by environment. */
const options = new Set(['TLS_SIDECAR_DRAIN_DELAY', 'TLS_SIDECAR_DRAIN_TIMEOUT', 'TLS_SIDECAR_UPSTREAM']);

function read(file: string): { text: string; pod: Pod; service: Service } {
  const text = readFileSync(new URL(file, folder), 'utf8');
  const objects = parseAllDocuments(text, { version: '1.1' }).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS() as Pod | Service;
  });
  const pod = objects.find((object) => object.kind === 'Pod');
  const service = objects.find((object) => object.kind === 'Service');
  assert.ok(pod && service && objects.length === 2, `${file} holds one Pod and one Service`);
  return { text, pod, service };
}

function named(containers: Container[] | undefined, name: string): Container {
  const found = containers?.find((container) => container.name === name);
  assert.ok(found, `there is a container ${name}`);
  return found;
}

const all = (pod: Pod): Container[] => [...(pod.spec.initContainers ?? []), ...pod.spec.containers];

test('there are the three examples, and what goes with a Deployment', () => {
  const all = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const beside = ['cert-manager.yaml', 'deployment.yaml', 'mutating-admission-policy.yaml', 'network-policy.yaml'];
  assert.deepEqual(all.sort(), [...files, ...beside].sort());
});

for (const file of files) {
  describe(file, () => {
    const { text, pod, service } = read(file);

    test('begins with what it shows and how to try it', () => {
      assert.match(text, /^# /);
      assert.ok(text.includes(`#   kubectl apply -f k8s/${file}\n`));
    });

    test('gives the Pod nothing that it does not use', () => {
      assert.equal(pod.spec.automountServiceAccountToken, false);
      assert.equal(pod.spec.enableServiceLinks, false);
      assert.equal(pod.spec.hostNetwork, undefined);
      for (const container of all(pod)) {
        assert.ok(container.resources?.requests?.cpu, `${container.name} requests cpu`);
        assert.ok(container.resources.requests.memory, `${container.name} requests memory`);
        assert.ok(container.resources.limits?.memory, `${container.name} has a memory limit`);
        assert.doesNotMatch(container.image, /:latest$|^[^:]+$/, `${container.name}'s image has a version`);
      }
    });

    test('has a NodePort Service that selects the Pod and names its port by number', () => {
      assert.equal(service.metadata.name, pod.metadata.name);
      assert.equal(service.spec.type, 'NodePort');
      for (const [label, value] of Object.entries(service.spec.selector)) {
        assert.equal(pod.metadata.labels[label], value);
      }
      for (const { targetPort } of service.spec.ports) assert.equal(typeof targetPort, 'number');
    });

    test('lets the app serve on while the endpoints are brought up to date', () => {
      assert.equal(named(pod.spec.containers, 'app').lifecycle?.preStop?.sleep?.seconds, 8);
    });

    test('sets options that exist, as text', () => {
      for (const container of all(pod)) {
        for (const { name, value, valueFrom } of container.env ?? []) {
          if (name.startsWith('TLS_SIDECAR_')) assert.ok(options.has(name), `${name} is an option`);
          if (!valueFrom) assert.equal(typeof value, 'string', `${name} is quoted where it needs to be`);
        }
      }
    });
  });
}

for (const [file, place] of [
  ['two-containers.yaml', 'containers'] as const,
  ['redirect.yaml', 'initContainers'] as const,
]) {
  describe(`the sidecar of ${file}`, () => {
    const { text, pod } = read(file);
    const sidecar = named(pod.spec[place], 'tls-sidecar');

    test('has the names and ports of the documentation', () => {
      assert.equal(sidecar.image, `tls-sidecar:${version}`);
      assert.deepEqual(sidecar.ports, [
        { name: 'https', containerPort: 8080 },
        { name: 'tls-metrics', containerPort: 9901 },
      ]);
      assert.equal(pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'], 'app');
    });

    test('alone mounts the Secret, as a directory, read-only', () => {
      const mount = { name: 'tls-sidecar-certs', mountPath: '/etc/tls-sidecar/certs', readOnly: true };
      assert.deepEqual(sidecar.volumeMounts, [mount]);
      assert.deepEqual(pod.spec.volumes, [{ name: 'tls-sidecar-certs', secret: { secretName: 'web-tls' } }]);
      for (const other of all(pod)) if (other !== sidecar) assert.equal(other.volumeMounts, undefined);
      assert.ok(text.includes('#   kubectl create secret tls web-tls --cert=certs/tls.crt --key=certs/tls.key\n'));
    });

    test('is probed on its admin port, at start without asking the app', () => {
      assert.deepEqual(sidecar.startupProbe?.httpGet, { path: '/startupz', port: 9901 });
      assert.deepEqual(sidecar.readinessProbe?.httpGet, { path: '/readyz', port: 9901 });
      assert.deepEqual(sidecar.livenessProbe?.httpGet, { path: '/livez', port: 9901 });
    });

    test('passes Pod Security "restricted", with a read-only root', () => {
      assert.deepEqual(sidecar.securityContext, {
        runAsUser: 65532,
        runAsGroup: 65532,
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      });
    });

    test('drains, within the time that the Pod has', () => {
      assert.deepEqual(sidecar.env, [{ name: 'TLS_SIDECAR_DRAIN_DELAY', value: '5s' }]);
      assert.ok(
        (pod.spec.terminationGracePeriodSeconds ?? 30) >= 8 + 25,
        'the app sleeps 8 s, a drain takes up to 25 s',
      );
    });
  });
}

describe('two-containers.yaml', () => {
  test('sends the Service to the sidecar', () => {
    assert.equal(read('two-containers.yaml').service.spec.ports[0]?.targetPort, 8080);
  });
});

describe('redirect.yaml', () => {
  const { pod, service } = read('redirect.yaml');

  test("leaves the app's container as it is in app.yaml, and the Service on its port", () => {
    assert.deepEqual(pod.spec.containers, read('app.yaml').pod.spec.containers);
    assert.equal(service.spec.ports[0]?.targetPort, 80);
  });

  test('captures the port first, then starts the native sidecar', () => {
    const [init, sidecar, ...rest] = pod.spec.initContainers ?? [];
    assert.equal(init?.name, 'tls-sidecar-init');
    assert.equal(init.image, `tls-sidecar-init:${version}`);
    assert.equal(init.restartPolicy, undefined);
    assert.equal(sidecar?.name, 'tls-sidecar');
    assert.equal(sidecar.restartPolicy, 'Always');
    assert.deepEqual(rest, []);
  });

  test('gives the init container one capability and what it needs to refuse host networking', () => {
    const init = named(pod.spec.initContainers, 'tls-sidecar-init');
    assert.deepEqual(init.securityContext, {
      runAsUser: 0,
      runAsNonRoot: false,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.deepEqual(init.env, [
      { name: 'REDIRECT', value: '80:8080' },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    ]);
  });
});
