// How test:pod reads the manifest that it runs: nothing of it may be passed over.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { podmanFlags, readPod } from '../../pod/manifest.ts';

const manifest = new URL('../../../k8s/redirect.yaml', import.meta.url);
const place = {
  facts: { 'status.podIP': '10.99.0.1', 'status.hostIP': '10.99.0.2' },
  volumes: { 'tls-sidecar-certs': '/certs' },
};

test('what the containers of redirect.yaml ask for becomes flags of podman', () => {
  const { initContainers, containers } = readPod(manifest);
  const [init, sidecar, app] = [...initContainers, ...containers].map((spec) => podmanFlags(spec, place).join(' '));
  const locked = '--security-opt no-new-privileges --read-only --read-only-tmpfs=false --cap-drop ALL';
  const env = '--env REDIRECT=80:8080 --env POD_IP=10.99.0.1 --env HOST_IP=10.99.0.2';
  assert.equal(init, `${env} --user 0:0 ${locked} --cap-add NET_ADMIN --memory 67108864 --memory-swap 67108864`);
  assert.equal(
    sidecar,
    `--env TLS_SIDECAR_DRAIN_DELAY=5s --user 65532:65532 ${locked} --memory 268435456 --memory-swap 268435456 ` +
      '--volume /certs:/etc/tls-sidecar/certs:ro',
  );
  assert.equal(app, '--security-opt seccomp=unconfined --memory 134217728 --memory-swap 134217728');
});

test('a field that nothing acts on is an error that names it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-sidecar-manifest-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pod.yaml');
  const text = readFileSync(manifest, 'utf8').replace('      restartPolicy: Always\n', '$&      workingDir: /tmp\n');
  writeFileSync(file, text);
  assert.throws(() => readPod(pathToFileURL(file)), /tls-sidecar: nothing here acts on workingDir/);
});
