// The MutatingAdmissionPolicy says what the other manifests say. Its expressions are CEL, which only an API server reads; what
// stands in them as text is compared.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { get, type JsonObject, listAt, textAt } from '../../../src/inject/edits/objects.ts';

const folder = new URL('../../../k8s/', import.meta.url);
const read = (file: string): JsonObject[] =>
  parseAllDocuments(readFileSync(new URL(file, folder), 'utf8'), { version: '1.1' }).map((one) => {
    assert.deepEqual([...one.errors, ...one.warnings], []);
    return one.toJS() as JsonObject;
  });

const [policy, binding] = read('mutating-admission-policy.yaml');
const cel = textAt(policy, ['spec', 'mutations', 0, 'jsonPatch', 'expression']) ?? '';

/** CEL's objects as JSON: `Object.spec.x{a: 1}` is `{"a": 1}`; what is computed is left as it stands. */
function sidecarIn(): JsonObject {
  const start = cel.indexOf('value: Object.spec.initContainers{');
  assert.ok(start > 0);
  const from = cel.indexOf('{', start);
  let depth = 0;
  let end = from;
  do {
    if (cel[end] === '{') depth += 1;
    if (cel[end] === '}') depth -= 1;
    end += 1;
  } while (depth > 0);
  const json = cel
    .slice(from, end)
    .replaceAll(/Object(?:\.\w+)+\{/g, '{')
    .replaceAll(/'([^']*)'/g, '"$1"')
    .replaceAll(/variables\.(\w+)/g, '"variables.$1"')
    .replaceAll(/([{,]\s*)(\w+):/g, '$1"$2":');
  return JSON.parse(json) as JsonObject;
}

test('its sidecar is the one of deployment.yaml, but for the address of the app', () => {
  const deployment = read('deployment.yaml').find(({ kind }) => kind === 'Deployment');
  const expected = get(deployment, ['spec', 'template', 'spec', 'initContainers', 0]) as JsonObject;
  const sidecar = sidecarIn();
  const env = [
    { name: 'TLS_SIDECAR_UPSTREAM', value: 'variables.upstream' },
    { name: 'TLS_SIDECAR_DRAIN_DELAY', value: '5s' },
  ];
  const withoutEnv = ({ env: _, ...rest }: JsonObject): JsonObject => rest;
  assert.deepEqual(withoutEnv(sidecar), withoutEnv(expected));
  assert.deepEqual(sidecar.env, env);
});

test('it is bound to labelled namespaces, and fails closed', () => {
  assert.deepEqual([policy?.kind, binding?.kind], ['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding']);
  assert.equal(get(binding, ['spec', 'policyName']), get(policy, ['metadata', 'name']));
  assert.equal(get(policy, ['spec', 'failurePolicy']), 'Fail');
  assert.deepEqual(get(binding, ['spec', 'matchResources', 'namespaceSelector', 'matchLabels']), {
    'tls-sidecar.dev/inject': 'true',
  });
  const [rule] = listAt(policy, ['spec', 'matchConstraints', 'resourceRules']);
  assert.deepEqual(get(rule, ['resources']), ['pods']);
});
