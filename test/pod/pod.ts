// The Pod of k8s/redirect.yaml, with an app built from Debian's nginx in place of the official image and 128 MiB for the sidecar:
// started, asked, its Secret replaced, its sidecar killed, ended. Runs in the network namespace of the node (run.ts).

import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authority, createAuthority } from '../../certs/authority.ts';
import { eventually } from '../support/poll.ts';
import { createSecretVolume, type SecretVolume } from '../support/secret-volume.ts';
import { askHttp2, askPlain, askTls, downloadSlowly, servedSerial, startCrowds } from './clients.ts';
import { confinementOf, outOfMemoryKills, residentOf } from './confinement.ts';
import { type Pod, startPod, succeeds } from './kubelet.ts';
import { type PodSpec, readPod } from './manifest.ts';
import { NODE, POD } from './network.ts';
import { figuresTable } from './table.ts';

const manifest = new URL('../../k8s/redirect.yaml', import.meta.url);
const LIMIT_MIB = 128;
const ROTATIONS = 20;
const OUTSIDE = [POD.v4, POD.v6];
const NGINX = /<title>Welcome to nginx!<\/title>/;

type Scene = {
  readonly pod: Pod;
  readonly authority: Authority;
  readonly secret: SecretVolume;
  /** The app's page. */
  readonly page: string;
};

function specWith(app: string): PodSpec {
  const spec = readPod(manifest);
  for (const container of [...spec.initContainers, ...spec.containers]) {
    if (container.name === 'app') container.image = app;
    if (container.name === 'tls-sidecar') container.resources = { limits: { memory: `${LIMIT_MIB}Mi` } };
  }
  return spec;
}

/** In the Pod's order: what ran, as whom, with which rights. */
async function confined({ pod }: Scene): Promise<string> {
  const [init] = pod.done;
  assert.ok(init);
  const rights = '{{.EffectiveCaps}} {{.BoundingCaps}} {{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}}';
  assert.equal(await pod.inspect(init, rights), '[CAP_NET_ADMIN] [CAP_NET_ADMIN] false true');
  assert.match(await pod.logs(init), /inbound port 80 to 8080 \(IPv4 and IPv6, iptables-nft\)/);
  assert.deepEqual(confinementOf(await pod.pid(pod.sidecar)), {
    user: 65532,
    capabilities: 0n,
    noNewPrivileges: true,
    seccompFilter: true,
    readOnlyRoot: true,
    memoryLimit: LIMIT_MIB << 20,
  });
  return 'init container with NET_ADMIN alone; sidecar as 65532, no capability, no new privileges, seccomp, read-only root';
}

async function askedFromOutside({ authority, page }: Scene): Promise<string> {
  for (const host of OUTSIDE) {
    assert.equal(await askTls(host, authority.pem), page, host);
    assert.equal(await askHttp2(host, authority.pem), page, host);
    const plain = await askPlain(host);
    assert.match(plain, /^HTTP\/1\.1 400 /, host);
    assert.doesNotMatch(plain, NGINX, host);
  }
  return 'TLS on port 80 from outside, IPv4 and IPv6, HTTP/1.1 and HTTP/2; plain HTTP there is a 400';
}

const askInside = `const { get } = require('node:http');
const ask = (host) => new Promise((done) => get({ host, port: 80 }, (answer) => {
  let body = ''; answer.on('data', (text) => { body += text; }).on('end', () => done(body));
}).on('error', (error) => done(error.code)));
Promise.all(process.argv.slice(1).map(ask)).then((bodies) => console.log(JSON.stringify(bodies)));`;

async function askedFromInside({ pod, page }: Scene): Promise<string> {
  const hosts = ['127.0.0.1', '::1', ...OUTSIDE];
  const answered = await pod.exec(pod.sidecar, '/nodejs/bin/node', '-e', askInside, ...hosts);
  assert.deepEqual(
    JSON.parse(answered),
    hosts.map(() => page),
  );
  return `plain HTTP on port 80 inside, at ${hosts.join(', ')}`;
}

async function rotated({ authority, secret, page }: Scene): Promise<string> {
  const crowds = startCrowds(OUTSIDE, authority.pem, page);
  const takenMs: number[] = [];
  try {
    for (let i = 0; i < ROTATIONS; i++) {
      const { serial } = await writePair(secret, authority);
      const written = performance.now();
      await eventually(
        async () => {
          for (const host of OUTSIDE) assert.equal(await servedSerial(host, authority.pem), serial);
          return true;
        },
        { what: `certificate ${i + 1}` },
      );
      takenMs.push(performance.now() - written);
      const before = crowds.answered();
      await eventually(() => crowds.answered() > before + 50, { what: 'more answers' });
    }
  } finally {
    await crowds.stop();
  }
  assert.deepEqual(crowds.failures(), []);
  const slowest = Math.round(Math.max(...takenMs));
  return `${ROTATIONS} rotations of the Secret, each served within ${slowest} ms: ${crowds.answered()} requests, 0 failed`;
}

async function killed({ pod, authority, page }: Scene): Promise<string> {
  const before = startCrowds(OUTSIDE, authority.pem, page);
  await eventually(() => before.answered() > 100, { what: 'answers' });
  assert.deepEqual(before.failures(), []);

  const died = performance.now();
  process.kill(await pod.pid(pod.sidecar), 'SIGKILL');
  let watching = true;
  const seen = { plain: 0, refused: 0 };
  const watch = OUTSIDE.map(async (host) => {
    while (watching) {
      const answer = await askPlain(host);
      if (NGINX.test(answer)) seen.plain++;
      if (answer === 'ECONNREFUSED') seen.refused++;
    }
  });
  await pod.restart(pod.sidecar);
  const downMs = Math.round(performance.now() - died);
  await before.stop();
  watching = false;
  await Promise.all(watch);
  assert.equal(seen.plain, 0, 'plain HTTP came from outside while the sidecar was down');
  assert.ok(seen.refused > 0, 'the port was not seen refused');

  const after = startCrowds(OUTSIDE, authority.pem, page);
  await eventually(() => after.answered() > 1000, { what: 'answers' });
  await after.stop();
  assert.deepEqual(after.failures(), []);
  return (
    `kill -9: up again after ${downMs} ms, until then the port was refused and never plain ` +
    `(${before.failures().length} requests of that time failed); then ${after.answered()} requests, 0 failed`
  );
}

/** Clients find the Pod for 3 s after its end began, as endpoints are removed; a download lasts longer than the app's sleep. */
async function drained({ pod, authority, page }: Scene): Promise<string> {
  const crowds = startCrowds(OUTSIDE, authority.pem, page);
  await eventually(() => crowds.answered() > 200, { what: 'answers' });
  const download = downloadSlowly(POD.v6, authority.pem, 10);
  const began = performance.now();
  const over = pod.terminate();
  const { readinessProbe } = pod.sidecar.spec;
  assert.ok(readinessProbe);
  await eventually(async () => !(await succeeds(readinessProbe, POD.v4)), { what: 'the Pod to be not ready' });
  const notReadyMs = Math.round(performance.now() - began);
  await eventually(() => performance.now() - began > 3000, { what: 'endpoints to be removed' });
  await crowds.stop();
  const { bytes, complete } = await download;
  const ended = await over;

  assert.deepEqual(crowds.failures(), []);
  assert.ok(complete, `the download was cut after ${bytes} bytes`);
  assert.deepEqual(
    ended.map(({ name, code }) => ({ name, code })),
    [
      { name: 'app', code: 0 },
      { name: 'tls-sidecar', code: 0 },
    ],
  );
  const at = ended.map(({ name, atMs }) => `${name} after ${((atMs - began) / 1000).toFixed(1)} s`).join(', ');
  return (
    `drain: not ready after ${notReadyMs} ms, ended in order (${at}), exit code 0 each; ` +
    `${crowds.answered()} requests, 0 failed, and a download of ${bytes >> 20} MiB whole`
  );
}

async function writePair(secret: SecretVolume, authority: Authority): Promise<{ serial: string }> {
  const { chain, key, serial } = await authority.issue({ dns: ['localhost'] });
  await secret.write({ 'tls.crt': chain, 'tls.key': key });
  return { serial };
}

async function main([app = '', infra = '', ...options]: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'tls-sidecar-pod-'));
  // For the sidecar's user, as the kubelet makes the directory of a volume.
  await chmod(folder, 0o755);
  let pod: Pod | undefined;
  const clean = async (): Promise<void> => {
    await pod?.remove();
    pod = undefined;
    await rm(folder, { recursive: true, force: true });
  };
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Error(signal)));
  });
  // It may come while nobody waits for it yet.
  interrupted.catch(() => {});
  try {
    const authority = await createAuthority();
    const secret = await createSecretVolume(folder);
    await writePair(secret, authority);
    const place = {
      facts: { 'status.podIP': POD.v4, 'status.hostIP': NODE.v4 },
      volumes: { 'tls-sidecar-certs': folder },
    };
    pod = await startPod({ spec: specWith(app), place, address: POD.v4, infra });
    await Promise.race([play(pod, { authority, secret }, options), interrupted]);
  } catch (error) {
    const said = await pod?.logs(pod.sidecar).catch(() => '');
    if (said) console.error(said.split('\n').slice(-20).join('\n'));
    throw error;
  } finally {
    await clean();
  }
}

async function play(
  pod: Pod,
  { authority, secret }: Pick<Scene, 'authority' | 'secret'>,
  options: string[],
): Promise<void> {
  const { readinessProbe } = pod.sidecar.spec;
  assert.ok(readinessProbe);
  await eventually(() => succeeds(readinessProbe, POD.v4), { what: 'the Pod to be ready' });
  const page = await eventually(() => askTls(POD.v4, authority.pem), { what: 'the first answer' });
  assert.match(page, NGINX);
  const idle = residentOf(await pod.pid(pod.sidecar)).now;
  const scene: Scene = { pod, authority, secret, page };
  const tell = async (part: (scene: Scene) => Promise<string>): Promise<void> => {
    const figures = await part(scene).catch((cause: unknown) => {
      throw new Error(`the Pod as ${part.name}: ${oneLine(cause)}`, { cause });
    });
    console.log(`- ${figures}`);
  };

  for (const part of [confined, askedFromOutside, askedFromInside, rotated]) await tell(part);
  const pid = await pod.pid(pod.sidecar);
  const { peak } = residentOf(pid);
  assert.equal(outOfMemoryKills(pid), 0);
  for (const part of [killed, drained]) await tell(part);

  const startupMs = pod.started.flatMap(({ startupMs: ms }) => ms ?? []);
  const figures = {
    startupMs,
    idle,
    peak,
    limit: LIMIT_MIB << 20,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
  };
  const table = figuresTable(figures);
  console.log(table);
  if (options.includes('--write')) await writeTable(table);
}

async function writeTable(table: string): Promise<void> {
  const page = new URL('../../docs/kubernetes.md', import.meta.url);
  const text = await readFile(page, 'utf8');
  const marks = /(<!-- pod -->\n)[\s\S]*?(<!-- \/pod -->)/;
  assert.match(text, marks);
  await writeFile(
    page,
    text.replace(marks, (_, open: string, close: string) => `${open}${table}\n${close}`),
  );
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').slice(0, 300);
}

try {
  await main(process.argv.slice(2));
  console.log('PASS');
} catch (error) {
  console.error(error);
  console.log(`FAIL: ${oneLine(error)}`);
  process.exitCode = 1;
}
// After a failure clients may still be asking.
process.exit();
