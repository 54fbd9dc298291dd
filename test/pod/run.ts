// Behind `npm run test:pod`: builds both images and an app from the committed Dockerfiles, and runs the Pod of k8s/redirect.yaml
// on podman (pod.ts). Says PASS with the figures, FAIL, or in one sentence what this machine lacks; the exit code is 0, 1, 77.
// `--write` puts start and memory into docs/kubernetes.md.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Outcome, outcomeOf } from './command.ts';
import { missingNat, missingPiece, missingRuntime } from './machine.ts';
import { openNode } from './network.ts';
import { openStorage } from './storage.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MISSING = 77;
/** Made by .ci/bases. */
const BASES = { BASE: 'localhost/node:24-trixie-slim', INIT_BASE: 'localhost/debian:13-slim' };
const APP = 'localhost/tls-sidecar-test-app:nginx';

async function main(argv: string[]): Promise<number> {
  const piece = missingPiece() ?? (await missingNat());
  if (piece !== undefined) return lacks(piece);
  const env = openStorage();
  const inside = (command: string, ...args: string[]): Promise<Outcome> =>
    // What is mounted for images and containers is seen in here only, and gone when it ends.
    outcomeOf('unshare', ['--mount', command, ...args], {
      cwd: root,
      env: { ...env, ...BASES },
      timeoutMs: 15 * 60_000,
    });

  const bases = await inside('.ci/bases');
  if (bases.code !== 0) return lacks(`the images' bases cannot be made of Debian's packages and npm: ${last(bases)}`);
  const runtime = await missingRuntime((...args) => inside('podman', ...args), BASES.INIT_BASE);
  if (runtime !== undefined) return lacks(runtime);
  console.log('building the images');
  const appArgs = ['bud', '--layers', '--pull-never', '-t', APP, '-f', 'test/pod/app.Dockerfile', 'test/pod'];
  for (const built of [await inside('.ci/images'), await inside('buildah', ...appArgs)]) {
    if (built.code !== 0) return fails(`an image cannot be built: ${last(built)}`);
  }

  const node = await openNode();
  try {
    return await inNode(node.namespace, [APP, BASES.INIT_BASE, ...argv], env);
  } finally {
    await node.close();
  }
}

/** Probes and clients come from the node's network namespace. */
async function inNode(node: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const script = fileURLToPath(new URL('pod.ts', import.meta.url));
  const program = [process.execPath, '--import', 'tsx', script, ...args];
  const inside = ['--mount', 'nsenter', `--net=/run/netns/${node}`, ...program];
  const child = spawn('unshare', inside, { cwd: root, env, stdio: 'inherit' });
  const code = await new Promise<number>((resolve, reject) => {
    // A Ctrl-C reaches the child by itself; here and there it ends after what it started has been removed.
    process.on('SIGINT', () => {});
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('exit', (status) => resolve(status ?? 1));
  });
  return code === 0 ? 0 : 1;
}

function lacks(piece: string): number {
  console.log(`test:pod did not run: ${piece}.`);
  return MISSING;
}

function fails(why: string): number {
  console.log(`FAIL: ${why}`);
  return 1;
}

const last = ({ stdout, stderr }: Outcome): string => (stderr || stdout).trim().split('\n').slice(-3).join(' / ');

process.exitCode = await main(process.argv.slice(2));
