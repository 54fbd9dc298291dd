// The images that the cluster runs, as archives in the cache folder: ours from the committed Dockerfiles, an nginx as the app,
// and the pause image. No registry is asked: their base is made of Debian's archive, with Node from npm. buildah keeps its
// layers in the cache folder, apart from those of the machine.

import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.ts';
import { hashOf, isThere } from './files.ts';
import { cacheFolder, type Programs } from './programs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = 'test/cluster/images';
const limitMs = 10 * 60_000;
const suite = 'trixie';

/** The archive of an image, and the name that manifests call it by. */
export type Image = { readonly name: string; readonly archive: string };
export type Images = { readonly all: readonly Image[]; readonly built: boolean };

type Recipe = {
  readonly name: string;
  readonly dockerfile: string;
  readonly context: string;
  readonly base: 'debian' | 'node' | 'none';
  /** What it is made of. */
  readonly sources: readonly string[];
};

const ours = ['package.json', 'package-lock.json', 'tsconfig.json', 'build', 'src', '.dockerignore'];

function recipes(version: string): Recipe[] {
  return [
    {
      name: `tls-sidecar:${version}`,
      dockerfile: 'Dockerfile',
      context: '.',
      base: 'node',
      sources: [...ours, 'Dockerfile'],
    },
    {
      name: `tls-sidecar-init:${version}`,
      dockerfile: 'Dockerfile.init',
      context: '.',
      base: 'debian',
      sources: ['src/init', 'Dockerfile.init'],
    },
    { name: 'nginx:1.28', dockerfile: `${here}/nginx.Dockerfile`, context: here, base: 'debian', sources: [here] },
  ];
}

export const PAUSE = 'localhost/pause:1';

export async function makeImages(version: string, programs: Programs): Promise<Images> {
  const folder = join(cacheFolder, 'images');
  await mkdir(folder, { recursive: true });
  const buildah = await buildahIn(folder);
  const all: Image[] = [];
  let built = false;
  for (const { name, dockerfile, context, base, sources } of recipes(version)) {
    const archive = join(folder, `${name.replace(':', '-')}-${await hashOf(root, sources)}.tar`);
    all.push({ name: `docker.io/library/${name}`, archive });
    if (await isThere(archive)) continue;
    built = true;
    const from = base === 'debian' ? await buildah.debian() : await buildah.node();
    const args = ['--build-arg', `BASE=${from}`, '-f', join(root, dockerfile), join(root, context)];
    await buildah.build(name, args, archive);
  }
  const pause = join(programs.folder, 'pause.tar');
  all.push({ name: PAUSE, archive: pause });
  if (!(await isThere(pause)))
    await buildah.build(PAUSE, ['-f', join(root, here, 'pause.Dockerfile'), programs.folder], pause);
  return { all, built };
}

async function buildahIn(folder: string) {
  const storage = join(folder, 'storage.conf');
  const [graph, runroot] = [join(folder, 'storage'), join(folder, 'storage-run')];
  await writeFile(storage, `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\nrunroot = "${runroot}"\n`);
  // No daemon, and no namespace of its own for a RUN: that also works where containers cannot be started.
  const env = { CONTAINERS_STORAGE_CONF: storage, BUILDAH_ISOLATION: 'chroot' };
  const buildah = (args: readonly string[]) => run('buildah', args, { cwd: root, env, limitMs });
  const isMade = (image: string) =>
    buildah(['inspect', '--type', 'image', image]).then(
      () => true,
      () => false,
    );
  const debianName = `localhost/debian:${suite}`;
  const nodeName = `localhost/node:24-${suite}`;

  async function debian(): Promise<string> {
    if (await isMade(debianName)) return debianName;
    return inFolder(async (work) => {
      await run('mmdebstrap', ['--variant=minbase', suite, join(work, 'debian.tar')], { limitMs });
      await copyFile('/etc/ssl/certs/ca-certificates.crt', join(work, 'certificates.crt'));
      await buildah(['bud', '-t', debianName, '-f', join(root, here, 'debian.Dockerfile'), work]);
      return debianName;
    });
  }

  async function node(): Promise<string> {
    if (await isMade(nodeName)) return nodeName;
    const base = await debian();
    return inFolder(async (work) => {
      const cpu = process.arch === 'arm64' ? 'arm64' : 'x64';
      const packages = [`node-linux-${cpu}@24`, 'npm@11'];
      const options = ['--prefix', work, '--no-save', '--ignore-scripts', '--loglevel=error'];
      await run('npm', ['install', ...options, ...packages], { cwd: work, limitMs });
      const modules = join(work, 'node_modules');
      await rename(join(modules, `node-linux-${cpu}`, 'bin', 'node'), join(work, 'node'));
      await rename(join(modules, 'npm'), join(work, 'npm'));
      const file = join(root, here, 'node.Dockerfile');
      await buildah(['bud', '-t', nodeName, '--pull=false', '--build-arg', `BASE=${base}`, '-f', file, work]);
      return nodeName;
    });
  }

  async function build(name: string, args: readonly string[], archive: string): Promise<void> {
    const made = name.includes('/') ? name : `localhost/${name}`;
    await buildah(['bud', '--layers', '--pull=false', '-t', made, ...args]);
    const partial = `${archive}.${process.pid}`;
    try {
      await buildah([
        'push',
        made,
        `docker-archive:${partial}:${name.includes('/') ? name : `docker.io/library/${name}`}`,
      ]);
      await rename(partial, archive);
    } finally {
      await rm(partial, { force: true });
    }
  }

  return { debian, node, build };
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tls-sidecar-image-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
