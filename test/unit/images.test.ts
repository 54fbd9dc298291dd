// What the images say of themselves, and what the release workflow runs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };

const LABELS = [
  'title',
  'description',
  'version',
  'revision',
  'created',
  'source',
  'documentation',
  'licenses',
  'base.name',
  'base.digest',
];

for (const file of ['Dockerfile', 'Dockerfile.init']) {
  test(`${file} has the version of package.json and all labels`, () => {
    const text = read(file);
    assert.match(text, new RegExp(`^ARG VERSION=${version.replaceAll('.', '\\.')}$`, 'm'));
    const labels = [...text.matchAll(/org\.opencontainers\.image\.([\w.]+)=/g)].map(([, name]) => name);
    assert.deepEqual(labels, LABELS);
  });

  test(`${file} declares each argument that it uses`, () => {
    const text = read(file);
    const declared = [...text.matchAll(/^ARG (\w+)/gm)].map(([, name]) => name);
    const passed = [...read('.github/workflows/release.yml').matchAll(/--build-arg (\w+)=/g)].map(([, name]) => name);
    assert.deepEqual(
      passed.filter((name) => !declared.includes(name)),
      [],
    );
  });
}

test('the release runs actions by commit, whose release is named beside it', () => {
  const actions = [...read('.github/workflows/release.yml').matchAll(/uses: (.*)/g)].map(([, action]) => action);
  assert.ok(actions.length > 0);
  for (const action of actions) assert.match(action ?? '', /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});
