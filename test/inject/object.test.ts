// The engine on parsed objects: the patch comes to what the text says, stays away from what it does not change, and every
// operation finds its path.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { applyPatch, fromPointer, toPointer } from '../../src/inject/edits/json-patch.ts';
import { injectObject } from '../../src/inject/object.ts';
import { readSettings } from '../../src/inject/options.ts';
import { workloadOf } from '../../src/inject/pod/workload.ts';
import { objectsIn, readFixtures, readGolden, withoutOriginal } from './workloads.ts';

describe('an object', () => {
  for (const { name, text, flags } of readFixtures()) {
    const golden = readGolden(name);
    if (golden === undefined) continue;
    test(`of ${name} becomes by its patch what its text becomes`, () => {
      const settings = readSettings({ secret: ['web-tls'], ...flags }, '0.1.0', []);
      const after = objectsIn(golden);
      for (const [at, object] of objectsIn(text).entries()) {
        if (workloadOf(object) === undefined) continue;
        const before = JSON.stringify(object);
        const { plan, patch } = injectObject(object, settings);
        assert.deepEqual(withoutOriginal(applyPatch(object, patch)), withoutOriginal(after[at]));
        assert.equal(JSON.stringify(object), before, 'the object itself stays');
        assert.equal(patch.length > 0, plan.kind === 'injection');
      }
    });
  }

  test('of another kind is left alone', () => {
    const { plan, patch } = injectObject(
      { kind: 'ConfigMap', apiVersion: 'v1' },
      readSettings({ secret: ['a'] }, '1', []),
    );
    assert.deepEqual([plan.kind, patch], ['skip', []]);
  });
});

test('a pointer takes every key there and back', () => {
  const path = ['metadata', 'annotations', 'a.dev/b~c', ''];
  assert.equal(toPointer(path), '/metadata/annotations/a.dev~1b~0c/');
  assert.deepEqual(fromPointer(toPointer(path)), path);
});
