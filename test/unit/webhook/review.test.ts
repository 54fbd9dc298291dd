// What is an AdmissionReview and what is none, and the bytes of its answer.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isRejected, type Review, readReview, writeAnswer } from '../../../src/webhook/review.ts';
import { responseIn, reviewOf, UID } from '../../support/reviews.ts';

function reasonFor(body: string | Buffer): string {
  const review = readReview(Buffer.from(body));
  return isRejected(review) ? review.reason : 'none';
}

function read(body: string): Review {
  const review = readReview(Buffer.from(body));
  assert.ok(!isRejected(review));
  return review;
}

describe('a review', () => {
  test('is read with all that counts of it', () => {
    const { object, oldObject, ...facts } = read(reviewOf({ dryRun: true }));
    assert.deepEqual(facts, {
      uid: UID,
      operation: 'CREATE',
      kind: 'v1/Pod',
      subResource: '',
      namespace: 'shop',
      name: 'web-5d8f-',
      dryRun: true,
    });
    assert.deepEqual([object.kind, oldObject], ['Pod', {}]);
  });

  const broken: readonly (readonly [what: string, body: string | Buffer, reason?: string])[] = [
    ['nothing', ''],
    ['no JSON', 'kind: AdmissionReview'],
    ['half of one', reviewOf().slice(0, 500)],
    ['one with something behind it', `${reviewOf()}x`],
    ['no UTF-8', Buffer.concat([Buffer.from(reviewOf().slice(0, -1)), Buffer.from([0xff, 0x7d])])],
    ['a list', '[]'],
    ['null', 'null'],
    ['a number', '1e999'],
    ['a list in a list, a hundred thousand times', '['.repeat(1e5) + ']'.repeat(1e5)],
    [
      'one that is deeper than any',
      reviewOf({ object: {} }).replace('"object":{', `"object":${'{"a":'.repeat(300)}1${'}'.repeat(299)}`),
    ],
    ['another kind', reviewOf({}, { kind: 'ConversionReview' })],
    ['no request', reviewOf({}, { request: null })],
    ['a request that is a list', reviewOf({}, { request: [] })],
    ['no uid', reviewOf({ uid: '' })],
    ['a uid that is a number', reviewOf({ uid: 7 })],
    ['a uid as long as a novel', reviewOf({ uid: 'x'.repeat(1e6) })],
    ['no operation', reviewOf({ operation: '' })],
    ['an object that is a text', reviewOf({ object: 'Pod' })],
    ['an older version', reviewOf({}, { apiVersion: 'admission.k8s.io/v1beta1' }), 'unsupported_review'],
    ['a version to come', reviewOf({}, { apiVersion: 'admission.k8s.io/v2' }), 'unsupported_review'],
    ['no version', reviewOf({}, { apiVersion: null }), 'unsupported_review'],
  ];
  for (const [what, body, reason = 'malformed_review'] of broken) {
    test(`is not ${what}: ${reason}`, () => assert.equal(reasonFor(body), reason));
  }

  test('may have as many brackets in its texts as it likes, behind escaped quotes too', () => {
    const note = `"\\${'[{'.repeat(1000)}\\"`;
    assert.equal(read(reviewOf({ object: { kind: 'Pod', metadata: { annotations: { note } } } })).object.kind, 'Pod');
  });

  test('whose object has names that every object has is read like others', () => {
    const text = reviewOf().replace('"metadata":{', '"__proto__":{"kind":"x"},"constructor":1,"metadata":{');
    assert.equal(read(text).object.kind, 'Pod');
  });
});

describe('an answer', () => {
  const nothing = { uid: UID, patch: [], warnings: [], refusal: undefined };

  test('without changes has no patch and no warnings', () => {
    assert.deepEqual(responseIn(writeAnswer(nothing)), { uid: UID, allowed: true });
  });

  test('with a patch has it in base64', () => {
    const patch = [{ op: 'add', path: '/a', value: 'é' }] as const;
    const response = responseIn(writeAnswer({ ...nothing, patch }));
    assert.equal(response.patchType, 'JSONPatch');
    assert.deepEqual(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()), patch);
  });

  test('that refuses says why, at a length that can be shown', () => {
    const { allowed, status } = responseIn(writeAnswer({ ...nothing, refusal: 'x'.repeat(5000) }));
    assert.deepEqual([allowed, status?.code, status?.message.length], [false, 422, 1024]);
  });

  test('cuts warnings where the API server would', () => {
    const { warnings } = responseIn(writeAnswer({ ...nothing, warnings: ['short', 'x'.repeat(5000)] }));
    assert.deepEqual(
      warnings?.map(({ length }) => length),
      [5, 256],
    );
  });
});
