// Mounts that never see a renewal, in mountinfo as kubelets and container engines leave it; and one made for real.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { frozenMount, judgeMounts } from '../../../../src/identity/disk/mounts.ts';
import { needs } from '../../../support/needs.ts';

const POD = '/var/lib/kubelet/pods/4cc1';
const root = '100 1 0:50 / / rw,relatime - overlay overlay rw';
const mountinfo = (...lines: string[]): string => [root, ...lines, ''].join('\n');

describe('a mount', () => {
  const rows: readonly (readonly [what: string, mounts: string, path: string, says: RegExp | undefined])[] = [
    ['of a Secret as a directory is fine', '1 2 0:9 / /certs ro - tmpfs tmpfs rw', '/certs/tls.crt', undefined],
    [
      'of a ConfigMap as a directory is fine',
      `1 2 8:1 ${POD}/volumes/kubernetes.io~configmap/ca /ca ro - ext4 /dev/sda1 rw`,
      '/ca/ca.crt',
      undefined,
    ],
    [
      'of one file of a Secret (subPath)',
      '1 2 0:9 /..2026_11_21_09_05_03.1234567890/tls.crt /certs/tls.crt ro - tmpfs tmpfs rw',
      '/certs/tls.crt',
      /^\/certs\/tls\.crt is mounted as a single file$/,
    ],
    [
      'of a folder of a Secret (subPath)',
      '1 2 0:9 /..2026_11_21_09_05_03.1234567890/tls /certs ro - tmpfs tmpfs rw',
      '/certs/tls.crt',
      /^\/certs is a subPath mount$/,
    ],
    [
      'of a subPath of a volume',
      `1 2 8:1 ${POD}/volume-subpaths/certs/app/0 /certs ro - ext4 /dev/sda1 rw`,
      '/certs/tls.crt',
      /^\/certs is a subPath mount$/,
    ],
    ['of another file is no matter', '1 2 0:9 /x /certs/tls.key ro - tmpfs tmpfs rw', '/certs/tls.crt', undefined],
    [
      'with a blank in its name',
      '1 2 0:9 /x /my\\040certs/tls.crt ro - tmpfs tmpfs rw',
      '/my certs/tls.crt',
      /^\/my certs\/tls\.crt is/,
    ],
    [
      'whose name only begins alike',
      '1 2 0:9 /..2026_11_21_09_05_03.1/x /cert ro - x x rw',
      '/certs/tls.crt',
      undefined,
    ],
  ];
  for (const [what, mounts, path, says] of rows) {
    test(what, () => {
      const told = judgeMounts(mountinfo(mounts), [path]);
      if (says === undefined) assert.equal(told, undefined);
      else assert.match(told ?? '', says);
    });
  }

  test('below another one: the innermost counts', () => {
    const frozen = '1 2 0:9 /..2026_11_21_09_05_03.1/x /a ro - tmpfs tmpfs rw';
    const fine = '2 1 0:10 / /a/b ro - tmpfs tmpfs rw';
    assert.equal(judgeMounts(mountinfo(frozen, fine), ['/a/b/tls.crt']), undefined);
    assert.match(judgeMounts(mountinfo(frozen, fine), ['/a/tls.crt']) ?? '', /subPath/);
  });

  test('file that is cut off or empty tells nothing', () => {
    for (const text of ['', '\n', '1 2 3', 'x']) assert.equal(judgeMounts(text, ['/certs/tls.crt']), undefined);
  });
});

describe('a path', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mounts-'));
  after(() => rmSync(dir, { recursive: true }));

  test('in an ordinary directory, or nowhere, is fine', () => {
    writeFileSync(join(dir, 'tls.crt'), '');
    assert.equal(frozenMount(join(dir, 'tls.crt')), undefined);
    assert.equal(frozenMount(join(dir, 'none', 'tls.crt')), undefined);
  });

  test('to a file that is really mounted by itself is found', (t) => {
    if (!needs(t, 'root', 'unshare', 'mount')) return;
    const [from, to] = [join(dir, 'from'), join(dir, 'to')];
    for (const path of [from, to]) writeFileSync(path, '');
    const module = new URL('../../../../src/identity/disk/mounts.ts', import.meta.url).href;
    const script = `console.log((await import(${JSON.stringify(module)})).frozenMount(${JSON.stringify(to)}))`;
    const node = [process.execPath, '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', script];
    const command = ['mount', '--bind', from, to, '&&', 'exec', '"$@"'].join(' ');
    const told = execFileSync('unshare', ['--mount', 'sh', '-c', command, 'sh', ...node]).toString();
    assert.match(told, new RegExp(`^${to} is mounted as a single file, which never sees a renewal`));
  });
});
