// Behind `npm run test:cluster`: a Kubernetes cluster of one node, built from its published modules, in namespaces of its own
// on this machine, and what must hold on it. Says what it does and how long that takes, and ends with PASS, FAIL, or what the
// machine is missing, with 77.
//
//   npm run test:cluster                     everything
//   npm run test:cluster -- --only-admission the API server alone: what it says of the manifests

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCgroup, removeCgroup } from './cgroups.ts';
import { makeImages } from './images.ts';
import { missingForAnything, missingForPods } from './missing.ts';
import type { Plan } from './plan.ts';
import { makePrograms } from './programs.ts';
import { say, seconds, step } from './terminal.ts';

const MISSING = 77;
const root = fileURLToPath(new URL('../..', import.meta.url));
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

async function main(argv: readonly string[]): Promise<number> {
  const missing = await missingForAnything();
  if (missing.length > 0) return tell(MISSING, `MISSING: ${missing.join('; ')}`);
  const missingParts = await missingForPods();
  const isAdmissionOnly = argv.includes('--only-admission') || missingParts.length > 0;

  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const started = performance.now();
  const programs = await step('Kubernetes and etcd, from Go modules or the cache', makePrograms);
  const images = isAdmissionOnly
    ? { all: [], built: false }
    : await step('images, from the Dockerfiles or the cache', () => makeImages(version, programs));
  const ready = performance.now();

  const data = await mkdtemp(join(tmpdir(), 'tls-sidecar-cluster-'));
  const cgroup = `/${basename(data)}`;
  const plan: Plan = {
    data,
    programs: programs.folder,
    kubernetes: programs.kubernetes,
    version,
    cgroup,
    images: images.all,
  };
  let code = 1;
  try {
    await makeCgroup(cgroup);
    code = await runOnNode(plan);
  } finally {
    await removeCgroup(cgroup);
    await rm(data, { recursive: true, force: true });
  }
  const built = programs.built || images.built ? 'build' : 'build (all cached)';
  say(`${built} ${seconds(ready - started)}, run ${seconds(performance.now() - ready)}`);
  if (code !== 0) return tell(1, `FAIL: Kubernetes ${programs.kubernetes}`);
  if (missingParts.length > 0)
    return tell(MISSING, `MISSING: ${missingParts.join('; ')}. The API server ran, and what was asked of it held.`);
  return tell(0, `PASS: Kubernetes ${programs.kubernetes}`);
}

/** Whatever is started on the node ends with the namespaces, and they end with the process that is started here. */
async function runOnNode(plan: Plan): Promise<number> {
  const namespaces = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '--net', '--uts', '--ipc'];
  const inside = [process.execPath, '--import', 'tsx', script('inside.ts'), JSON.stringify(plan)];
  const child = spawn('unshare', [...namespaces, 'bash', script('node.sh'), plan.data, ...inside], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

function tell(code: number, verdict: string): number {
  say(verdict);
  return code;
}

process.exitCode = await main(process.argv.slice(2));
