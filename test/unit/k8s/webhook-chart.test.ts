// The chart of the webhook: rendered by helm, read by kubectl's own types, and held together: names, ports, labels, CA.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { get, type JsonObject, listAt, objectAt, textAt } from '../../../src/inject/edits/objects.ts';
import { readSettings } from '../../../src/inject/options.ts';
import { type KubernetesObject, unknownTo } from '../../support/kubectl.ts';
import { needs } from '../../support/needs.ts';
import { judge } from '../../support/pod-security.ts';
import { runToExit } from '../../support/program.ts';

const root = new URL('../../../', import.meta.url);
const chart = fileURLToPath(new URL('k8s/webhook', root));
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };

function helm(...args: string[]) {
  return spawnSync('helm', args, { encoding: 'utf8' });
}

function template(...values: string[]) {
  const set = values.flatMap((one) => ['--set', one]);
  return helm('template', 'tls-sidecar', chart, '--namespace', 'mesh', ...set);
}

type Rendered = Map<string, KubernetesObject & JsonObject>;

/** By kind and name. */
function render(...values: string[]): Rendered {
  const { status, stdout, stderr } = template('inject.secret=web-tls', ...values);
  assert.equal(status, 0, stderr);
  const objects = parseAllDocuments(stdout, { version: '1.1' })
    .map((one) => one.toJS() as (KubernetesObject & JsonObject) | null)
    .filter((one) => one !== null);
  return new Map(objects.map((one) => [`${one.kind}/${one.metadata?.name}`, one]));
}

const NAME = 'tls-sidecar-webhook';
const configuration = (objects: Rendered, at = 0): unknown =>
  get(objects.get(`MutatingWebhookConfiguration/${NAME}`), ['webhooks', at]);
const podOf = (objects: Rendered): JsonObject =>
  objectAt(objects.get(`Deployment/${NAME}`), ['spec', 'template', 'spec']);
const argsOf = (objects: Rendered): string[] => listAt(podOf(objects), ['containers', 0, 'args']) as string[];

function refusal(...values: string[]): string {
  const { status, stderr } = template(...values);
  assert.notEqual(status, 0, `${values} is refused`);
  return stderr;
}

function withHelm(name: string, body: (t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    if (needs(t, 'helm')) await body(t);
  });
}

describe("the webhook's chart", () => {
  test('has the version of the program', () => {
    const text = readFileSync(`${chart}/Chart.yaml`, 'utf8');
    assert.match(text, new RegExp(`^version: ${version}\nappVersion: ${version}$`, 'm'));
  });

  withHelm('passes helm lint', () => {
    const { status, stdout } = helm('lint', '--strict', chart);
    assert.equal(status, 0, stdout);
  });

  withHelm('has two replicas, spread and budgeted, without a role or a token', () => {
    const objects = render();
    assert.deepEqual(
      [...objects.keys()].sort(),
      [
        `Deployment/${NAME}`,
        `MutatingWebhookConfiguration/${NAME}`,
        `PodDisruptionBudget/${NAME}`,
        `Secret/${NAME}-tls`,
        `Service/${NAME}`,
        `ServiceAccount/${NAME}`,
      ].sort(),
    );
    const pod = podOf(objects);
    const deployment = objects.get(`Deployment/${NAME}`);
    assert.equal(get(deployment, ['spec', 'replicas']), 2);
    assert.equal(get(objects.get(`PodDisruptionBudget/${NAME}`), ['spec', 'maxUnavailable']), 1);
    assert.equal(get(objects.get(`ServiceAccount/${NAME}`), ['automountServiceAccountToken']), false);
    assert.deepEqual([pod.automountServiceAccountToken, pod.serviceAccountName], [false, NAME]);
    const labels = objectAt(deployment, ['spec', 'template', 'metadata', 'labels']);
    const selectors = [
      objectAt(deployment, ['spec', 'selector', 'matchLabels']),
      objectAt(objects.get(`Service/${NAME}`), ['spec', 'selector']),
      objectAt(objects.get(`PodDisruptionBudget/${NAME}`), ['spec', 'selector', 'matchLabels']),
      ...listAt(pod, ['topologySpreadConstraints']).map((one) => objectAt(one, ['labelSelector', 'matchLabels'])),
    ];
    assert.equal(selectors.length, 5);
    for (const selector of selectors) {
      assert.ok(Object.keys(selector).length > 0);
      for (const [label, value] of Object.entries(selector)) assert.equal(labels[label], value);
    }
  });

  withHelm('runs as nobody: Pod Security "restricted", a read-only root', () => {
    const pod = podOf(render());
    assert.deepEqual(judge(pod), { baseline: [], restricted: [] });
    assert.equal(get(pod, ['containers', 0, 'securityContext', 'readOnlyRootFilesystem']), true);
  });

  for (const kubectl of ['kubectl-1.29', 'kubectl-1.35']) {
    test(`is known to ${kubectl} in every field of its Deployment and Service`, (t) => {
      if (!needs(t, 'helm', kubectl)) return;
      const objects = render('priorityClassName=high', 'nodeSelector.a=b', 'podAnnotations.a=b', 'podLabels.a=b');
      for (const kind of ['Deployment', 'Service'])
        assert.deepEqual(unknownTo(kubectl, objects.get(`${kind}/${NAME}`) as KubernetesObject), [], kind);
    });
  }

  withHelm('asks for new Pods of labelled namespaces only, never for its own', () => {
    const webhook = configuration(render('exclude={kube-system,legacy}'));
    assert.deepEqual(get(webhook, ['rules']), [
      { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
    ]);
    assert.deepEqual(get(webhook, ['namespaceSelector']), {
      matchLabels: { 'tls-sidecar.dev/inject': 'true' },
      matchExpressions: [
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['mesh', 'kube-system', 'legacy'] },
      ],
    });
    assert.deepEqual(get(webhook, ['objectSelector', 'matchExpressions', 0]), {
      key: 'tls-sidecar.dev/inject',
      operator: 'NotIn',
      values: ['false'],
    });
    const { failurePolicy, matchPolicy, reinvocationPolicy, sideEffects, timeoutSeconds, admissionReviewVersions } =
      webhook as JsonObject;
    assert.deepEqual(
      { failurePolicy, matchPolicy, reinvocationPolicy, sideEffects, timeoutSeconds, admissionReviewVersions },
      {
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        reinvocationPolicy: 'IfNeeded',
        sideEffects: 'None',
        timeoutSeconds: 2,
        admissionReviewVersions: ['v1'],
      },
    );
    assert.equal(get(configuration(render('failurePolicy=Ignore')), ['failurePolicy']), 'Ignore');
  });

  withHelm('asks for Services in target-port mode only, with all else the same', () => {
    const [pods, services] = [0, 1].map((at) => configuration(render(), at) as JsonObject);
    assert.deepEqual([pods?.name, services?.name], ['pods.tls-sidecar.dev', 'services.tls-sidecar.dev']);
    const [rule] = listAt(services, ['rules']);
    assert.deepEqual([get(rule, ['resources']), get(rule, ['operations'])], [['services'], ['CREATE', 'UPDATE']]);
    for (const key of Object.keys(pods ?? {}).filter((one) => !['name', 'rules', 'clientConfig'].includes(one)))
      assert.deepEqual(services?.[key], pods?.[key], key);
    for (const value of ['services=false', 'inject.mode=redirect'])
      assert.equal(configuration(render(value), 1), undefined);
  });

  withHelm('leads the API server to the port that the webhook listens on', () => {
    const objects = render();
    const service = get(configuration(objects), ['clientConfig', 'service']);
    assert.deepEqual(service, { name: NAME, namespace: 'mesh', path: '/inject', port: 443 });
    const [port] = listAt(objects.get(`Service/${NAME}`), ['spec', 'ports']);
    assert.deepEqual([get(port, ['port']), get(port, ['targetPort'])], [443, 8443]);
    const env = new Map(
      (listAt(podOf(objects), ['containers', 0, 'env']) as JsonObject[]).map(({ name, value }) => [name, value]),
    );
    assert.equal(env.get('TLS_SIDECAR_LISTEN'), ':8443');
    assert.equal(env.get('TLS_SIDECAR_DRAIN_DELAY'), '5s');
  });

  withHelm('generates a certificate for the name of its Service, and the CA that the API server trusts', () => {
    const objects = render();
    const secret = objects.get(`Secret/${NAME}-tls`);
    const [ca, cert, key] = ['ca.crt', 'tls.crt', 'tls.key'].map((name) =>
      Buffer.from(textAt(secret, ['data', name]) ?? '', 'base64').toString(),
    );
    const leaf = new X509Certificate(cert ?? '');
    const authority = new X509Certificate(ca ?? '');
    assert.equal(leaf.checkHost(`${NAME}.mesh.svc`), `${NAME}.mesh.svc`);
    assert.ok(leaf.verify(authority.publicKey) && leaf.checkPrivateKey(createPrivateKey(key ?? '')));
    assert.equal(leaf.publicKey.asymmetricKeyType, 'ec');
    assert.equal(get(configuration(objects), ['clientConfig', 'caBundle']), get(secret, ['data', 'ca.crt']));
    assert.equal(get(podOf(objects), ['volumes', 0, 'secret', 'secretName']), `${NAME}-tls`);
  });

  withHelm('can leave certificates to cert-manager, with a CA that stays', () => {
    const objects = render('certificate.source=cert-manager');
    assert.equal(objects.has(`Secret/${NAME}-tls`), false);
    assert.equal(get(configuration(objects), ['clientConfig', 'caBundle']), undefined);
    const annotations = objectAt(objects.get(`MutatingWebhookConfiguration/${NAME}`), ['metadata', 'annotations']);
    assert.equal(annotations['cert-manager.io/inject-ca-from'], `mesh/${NAME}`);
    const leaf = objectAt(objects.get(`Certificate/${NAME}`), ['spec']);
    assert.deepEqual(listAt(leaf, ['dnsNames'])[0], `${NAME}.mesh.svc`);
    assert.equal(leaf.secretName, get(podOf(objects), ['volumes', 0, 'secret', 'secretName']));
    const issuer = objects.get(`Issuer/${get(leaf, ['issuerRef', 'name'])}`);
    const ca = objectAt(objects.get(`Certificate/${NAME}-ca`), ['spec']);
    assert.deepEqual([ca.isCA, ca.secretName], [true, get(issuer, ['spec', 'ca', 'secretName'])]);
    assert.equal(get(ca, ['privateKey', 'rotationPolicy']), 'Never');
    assert.ok(objects.has(`Issuer/${get(ca, ['issuerRef', 'name'])}`));
  });

  withHelm('can take a Secret that is there', () => {
    const objects = render('certificate.source=existing', 'certificate.secret=own', 'certificate.caBundle=PEM');
    assert.equal(get(podOf(objects), ['volumes', 0, 'secret', 'secretName']), 'own');
    assert.equal(get(configuration(objects), ['clientConfig', 'caBundle']), Buffer.from('PEM').toString('base64'));
    assert.equal([...objects.values()].filter(({ kind }) => kind === 'Secret').length, 0);
  });

  withHelm('gives flags and options that the program takes', async () => {
    const objects = render(
      'inject.mode=redirect',
      'inject.flags.listen-port=8443',
      'inject.flags.app-prestop-sleep=0s',
      'image.repository=registry.example/tls-sidecar',
      `image.digest=sha256:${'0'.repeat(64)}`,
    );
    const [command = '', ...args] = argsOf(objects);
    assert.equal(command, 'webhook');
    const flags = Object.fromEntries(args.map((arg) => /^--([^=]+)=(.*)$/.exec(arg)?.slice(1) ?? []));
    const given = Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, [String(value)]]));
    const { secret, mode, listenPort, appPrestopSleepSeconds, image, initImage } = readSettings(given, version, []);
    assert.deepEqual(
      { secret, mode, listenPort, appPrestopSleepSeconds, initImage },
      {
        secret: 'web-tls',
        mode: 'redirect',
        listenPort: 8443,
        appPrestopSleepSeconds: 0,
        initImage: `tls-sidecar-init:${version}`,
      },
    );
    const container = get(podOf(objects), ['containers', 0]);
    assert.equal(image, `registry.example/tls-sidecar@sha256:${'0'.repeat(64)}`);
    assert.equal(textAt(container, ['image']), image, 'it adds what it is');
    const env = (listAt(container, ['env']) as JsonObject[]).map(({ name, value }) => [name, value]);
    const { code, stderr } = await runToExit([command, ...args, '--cert', '/nowhere', '--key', '/nowhere'], {
      env: {
        ...(Object.fromEntries(env) as Record<string, string>),
        TLS_SIDECAR_LISTEN: '127.0.0.1:0',
        TLS_SIDECAR_ADMIN: 'off',
      },
    });
    assert.equal(code, 2);
    assert.match(stderr, /^tls-sidecar: [^\n]*\/nowhere[^\n]*\n$/, 'nothing but the certificate is missing');
  });

  withHelm('refuses what cannot work, and says what to do', () => {
    assert.match(refusal('inject.mode=ambient'), /'\/inject\/mode': value must be one of 'target-port', 'redirect'/);
    assert.match(refusal('failurePolicy=Maybe'), /'\/failurePolicy'/);
    assert.match(refusal('replicas=0'), /'\/replicas'/);
    assert.match(refusal('options.listen=x'), /'\/options'/);
    assert.match(refusal('inject.flags.secret=x'), /'\/inject\/flags'/);
    assert.match(refusal('secret=x'), /additional properties 'secret' not allowed/);
    assert.match(refusal('certificate.source=existing'), /certificate\.secret is not set: name the Secret/);
  });

  withHelm('says what is left to do', () => {
    const notes = (...values: string[]): string =>
      helm('install', 'x', chart, '--dry-run=client', ...values.flatMap((one) => ['--set', one])).stdout;
    assert.match(
      notes('inject.secret=web-tls'),
      /needs the Secret web-tls[\s\S]*by themselves; those that are there need targetPort 8080\./,
    );
    assert.match(notes('inject.mode=redirect'), /names its Secret[\s\S]*NET_ADMIN/);
  });
});
