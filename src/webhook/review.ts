// The AdmissionReview (admission.k8s.io/v1): what is read of its request, and how its answer is written. What is not one is a
// rejection; nothing here ever throws for what somebody sent.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

import { REJECTIONS, type Rejection } from '../errors.ts';
import type { Operation } from '../inject/edits/json-patch.ts';
import { get, isObject, type JsonObject, objectAt, textAt } from '../inject/edits/objects.ts';

export type Review = {
  readonly uid: string;
  readonly operation: string;
  /** Of what the request is about: group, version, kind. */
  readonly kind: string;
  readonly subResource: string;
  readonly namespace: string;
  /** Of a Pod that a controller makes, what its name will begin with. */
  readonly name: string;
  /** Nothing is written for it: the answer must be the same. */
  readonly dryRun: boolean;
  readonly object: JsonObject;
  /** What it was, where it is changed; else empty. */
  readonly oldObject: JsonObject;
};

export type ReviewAnswer = {
  readonly uid: string;
  /** Empty: nothing changes. */
  readonly patch: readonly Operation[];
  /** What kubectl shows, a line each. */
  readonly warnings: readonly string[];
  /** Why the object is not let in; undefined where it is. */
  readonly refusal: string | undefined;
};

const VERSION = 'admission.k8s.io/v1';
const KIND = 'AdmissionReview';
/** A UUID has 36. */
const MAX_UID = 128;
/** The API server cuts warnings there where it has many: k8s.io/apiserver pkg/endpoints/filters/warning.go. */
const MAX_WARNING = 256;
const MAX_MESSAGE = 1024;
/** No object of Kubernetes comes near it. */
const MAX_DEPTH = 256;
const UNPROCESSABLE = 422;

const [QUOTE, BACKSLASH, BRACE, BRACKET] = [0x22, 0x5c, 0x7b, 0x5b];

export function isRejected(review: Review | Rejection): review is Rejection {
  return 'reason' in review;
}

export function readReview(body: Buffer): Review | Rejection {
  const review = parseJson(body);
  if (!isObject(review) || review.kind !== KIND) return REJECTIONS.malformed_review;
  if (review.apiVersion !== VERSION) return REJECTIONS.unsupported_review;
  const uid = textAt(review, ['request', 'uid']) ?? '';
  const operation = textAt(review, ['request', 'operation']) ?? '';
  const object = get(review, ['request', 'object']) ?? {};
  const oldObject = objectAt(review, ['request', 'oldObject']);
  if (uid === '' || uid.length > MAX_UID || operation === '' || !isObject(object)) return REJECTIONS.malformed_review;
  const kind = ['group', 'version', 'kind'].map((part) => textAt(review, ['request', 'kind', part]) ?? '');
  return {
    uid,
    operation,
    kind: kind.filter((part) => part !== '').join('/'),
    subResource: textAt(review, ['request', 'subResource']) ?? '',
    namespace: textAt(review, ['request', 'namespace']) ?? '',
    name: textAt(object, ['metadata', 'name']) ?? textAt(object, ['metadata', 'generateName']) ?? '',
    dryRun: get(review, ['request', 'dryRun']) === true,
    object,
    oldObject,
  };
}

function parseJson(body: Buffer): unknown {
  if (isTooDeep(body)) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** JSON.parse() takes any depth, JSON.stringify() of the same value then throws. Brackets in texts do not count. */
function isTooDeep(body: Buffer): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) inText = !inText;
    else if (inText) at += byte === BACKSLASH ? 1 : 0;
    else if (byte === BRACE || byte === BRACKET) depth++;
    else if (byte === BRACE + 2 || byte === BRACKET + 2) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

export function writeAnswer({ uid, patch, warnings, refusal }: ReviewAnswer): string {
  const response = {
    uid,
    allowed: refusal === undefined,
    ...(refusal !== undefined && { status: { code: UNPROCESSABLE, message: cut(refusal, MAX_MESSAGE) } }),
    ...(patch.length > 0 && {
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    }),
    ...(warnings.length > 0 && { warnings: warnings.map((warning) => cut(warning, MAX_WARNING)) }),
  };
  return JSON.stringify({ apiVersion: VERSION, kind: KIND, response });
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
