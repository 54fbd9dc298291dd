// What `npm run build` makes needs nothing but Node: no node_modules, no sources, no folder that can be written.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { repositoryRoot, runToExit } from '../support/program.ts';

const work = mkdtempSync(join(tmpdir(), 'tls-sidecar-shipped-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** A copy as in the image: package.json beside the program. */
function install(name: string): { folder: string; program: string } {
  const folder = join(work, name);
  const noCache = (path: string): boolean => !path.endsWith('compile-cache');
  cpSync(join(repositoryRoot, 'dist'), folder, { recursive: true, filter: noCache });
  cpSync(join(repositoryRoot, 'package.json'), join(folder, 'package.json'));
  return { folder, program: join(folder, 'proxy.js') };
}

const { version, dependencies } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
};

describe('the shipped program', () => {
  it('knows its version and its options without node_modules', async () => {
    const { program, folder } = install('alone');
    const told = await runToExit(['--version'], { program, cwd: folder });
    assert.deepEqual([told.code, told.stdout, told.stderr], [0, `${version}\n`, '']);
    const help = await runToExit(['--help'], { program, cwd: folder });
    assert.match(help.stdout, /--upstream-idle-timeout {5}How long an idle connection to the app is kept open/);
    assert.equal(help.stderr, '');
  });

  it('takes options from arguments, environment and a YAML file', async () => {
    const { program, folder } = install('options');
    writeFileSync(join(folder, 'options.yaml'), 'upstream: 3\nforwarder: http-proxy\n');
    const env = { TLS_SIDECAR_CONFIG: join(folder, 'options.yaml'), TLS_SIDECAR_LISTEN: 'nowhere' };
    const run = await runToExit(['--cert'], { program, cwd: folder, env });
    assert.equal(run.code, 2);
    const problems = run.stderr.trim().split('\n');
    assert.equal(problems.length, 3, run.stderr);
    assert.match(run.stderr, /--upstream/);
    assert.match(run.stderr, /--listen/);
    assert.match(run.stderr, /--cert needs a value: FILE|Not enough arguments following: cert/);
  });

  it('starts where nothing can be kept of what was compiled', async () => {
    const { program, folder } = install('read-only');
    // In place of the folder: root may write everywhere else.
    writeFileSync(join(folder, 'compile-cache'), '');
    const told = await runToExit(['--version'], { program, cwd: folder });
    assert.deepEqual([told.code, told.stdout, told.stderr], [0, `${version}\n`, '']);
  });

  it('brings the licence of every package that it holds', () => {
    const licenses = readFileSync(join(repositoryRoot, 'dist', 'LICENSES.txt'), 'utf8');
    for (const [name, wanted] of Object.entries(dependencies))
      assert.match(licenses, new RegExp(`^${name} ${wanted} \\(`, 'm'));
    assert.match(licenses, /^sonic-boom \S+ \(MIT\)$/m, 'what a package brings along, too');
  });

  it('keeps the names of the sources, so that a stack can be read as it stands', () => {
    const { folder } = install('names');
    const files = readdirSync(folder).filter((file) => file.endsWith('.js'));
    const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
    for (const line of ['// src/pipeline/pipeline.ts', 'function startSidecar(', 'Http1Connection = class'])
      assert.ok(text.includes(line), line);
  });
});
