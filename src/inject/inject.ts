// The command's engine: a text with Kubernetes objects in, the same text with the sidecar in it out. Every byte that does not
// change is kept. What comes out is read again, and compared with what the edits come to on the objects, before it is
// given back; whatever cannot be done as asked is a ConfigError, and then there is no text.

import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../errors.ts';
import type { Edit } from './edits/edits.ts';
import { applyPatch, toJsonPatch } from './edits/json-patch.ts';
import { isObject, type JsonObject, nameOf, type Path } from './edits/objects.ts';
import type { SourceOf } from './edits/original.ts';
import { planInjection } from './pod/plan.ts';
import { KINDS, looksLikeWorkload, workloadOf } from './pod/workload.ts';
import { notesOnRelated } from './related.ts';
import { isService, planService, type Target } from './service.ts';
import type { InjectSettings } from './settings.ts';
import { objectsOf, parseStream, type StreamDocument, type StreamObject } from './stream.ts';
import { sourceOf, toSplices } from './text/insert.ts';
import { Unspliceable } from './text/nodes.ts';
import { applySplices, type Splice } from './text/splices.ts';

export type Injected = {
  readonly text: string;
  /** Lines for people, one an object that was changed, skipped or is worth a note. */
  readonly report: readonly string[];
};

/** `name` is what the text is called in problems: a file, or stdin. */
export function inject(text: string, settings: InjectSettings, name: string): Injected {
  const documents = parseStream(text, name);
  const run = new Run();
  const objects = documents.flatMap(objectsOf);
  const targets = objects.flatMap((one) => run.injectWorkload(one, settings) ?? []);
  const services = objects.filter(({ object }) => isService(object));
  for (const one of services) run.moveService(one, targets);
  run.noteMissingServices(targets);
  run.report.push(
    ...notesOnRelated(
      objects.map(({ object }) => object),
      targets,
    ),
  );
  if (run.problems.length > 0) throw new ConfigError(run.problems);
  return { text: run.finish(text, documents, name), report: [...run.report, ...run.passedOn(objects)] };
}

type Change = StreamObject & { readonly edits: readonly Edit[] };

class Run {
  readonly report: string[] = [];
  readonly problems: string[] = [];
  readonly #changes: Change[] = [];
  readonly #told = new Set<StreamObject>();
  readonly #served = new Set<JsonObject>();

  /** Undefined where it got no sidecar. */
  injectWorkload(one: StreamObject, settings: InjectSettings): Target | undefined {
    const { object } = one;
    const workload = workloadOf(object);
    if (workload === undefined) {
      if (looksLikeWorkload(object))
        this.#tell(one, `skipped ${nameOf(object)}: the kind is not supported; there are ${KINDS.join(', ')}`);
      return undefined;
    }
    const plan = this.#attempt(one, (read) => planInjection(workload, settings, read));
    if (plan === undefined) return undefined;
    if (plan.kind === 'skip') {
      this.#tell(one, `skipped ${nameOf(object)}: ${plan.reason}`);
      return undefined;
    }
    if (plan.kind === 'refusal') {
      this.problems.push(...plan.problems.map((problem) => `${nameOf(object)}: ${problem}`));
      return undefined;
    }
    const ports = plan.tlsPorts.map(({ app, listen }) => `${app} → ${listen}`).join(', ');
    this.#tell(one, `injected ${nameOf(object)}: ${plan.mode}, TLS for port ${ports}`);
    for (const note of plan.notes) this.report.push(`note on ${nameOf(object)}: ${note}`);
    this.#changes.push({ ...one, edits: plan.edits });
    return { workload, tlsPorts: plan.tlsPorts, mode: plan.mode };
  }

  moveService(one: StreamObject, targets: readonly Target[]): void {
    const { object } = one;
    const plan = this.#attempt(one, (read) => planService(object, targets, read));
    if (plan === undefined) return;
    if (!plan.isOne)
      this.problems.push(
        `${nameOf(object)}: leads to Pods whose sidecars accept TLS on different ports; give all the same, by --listen-port or the annotation tls-sidecar.dev/ports`,
      );
    for (const target of plan.targets) this.#served.add(target.workload.object);
    this.#tell(one, `changed ${nameOf(object)}: targetPort ${plan.moved.join(', ')}`);
    if (plan.headless)
      this.report.push(
        `note on ${nameOf(object)}: it is headless, its clients dial the Pods themselves: their port stays plain HTTP; use --mode redirect`,
      );
    this.#changes.push({ ...one, edits: plan.edits });
  }

  noteMissingServices(targets: readonly Target[]): void {
    for (const { workload, tlsPorts, mode } of targets) {
      if (mode === 'redirect' || this.#served.has(workload.object)) continue;
      const ports = tlsPorts.map(({ app, listen }) => `${listen} instead of ${app}`).join(', ');
      this.report.push(
        `note on ${nameOf(workload.object)}: no Service here leads to it; its targetPort must be ${ports}`,
      );
    }
  }

  /** One line for all that has no Pods. */
  passedOn(objects: readonly StreamObject[]): string[] {
    const names = objects.filter((one) => !this.#told.has(one)).map(({ object }) => nameOf(object));
    return names.length === 0 ? [] : [`unchanged: ${names.join(', ')}`];
  }

  /** Throws a ConfigError where the text cannot say what the edits mean. */
  finish(text: string, documents: readonly StreamDocument[], name: string): string {
    const splices: Splice[] = [];
    for (const change of this.#changes)
      splices.push(...(this.#attempt(change, () => toSplices(change.source, within(change.at, change.edits))) ?? []));
    if (this.problems.length > 0) throw new ConfigError(this.problems);
    const result = this.#attempt(this.#changes[0], () => applySplices(text, splices)) ?? text;
    this.#compare(documents, parseAgain(result, name));
    if (this.problems.length > 0) throw new ConfigError(this.problems);
    return result;
  }

  #compare(before: readonly StreamDocument[], after: readonly StreamDocument[] | undefined): void {
    for (const [at, document] of before.entries()) {
      const changes = this.#changes.filter(({ source }) => source === document);
      const edits = changes.flatMap((change) => within(change.at, change.edits));
      const expected = isObject(document.value) ? applyPatch(document.value, toJsonPatch(edits)) : document.value;
      if (isDeepStrictEqual(plain(after?.[at]?.value), plain(expected))) continue;
      const names = changes.map(({ object }) => nameOf(object)).join(', ');
      this.problems.push(
        `${names}: the text cannot say what is to change, for an anchor, an alias, a merge key (<<) or a value over several lines is in the way; write that part out`,
      );
    }
  }

  #tell(one: StreamObject, line: string): void {
    this.#told.add(one);
    this.report.push(line);
  }

  #attempt<T>(one: StreamObject | undefined, work: (read: SourceOf) => T): T | undefined {
    try {
      return work((edit) => (one === undefined ? '' : sourceOf(one.source)(within(one.at, [edit])[0] ?? edit)));
    } catch (error) {
      if (!(error instanceof Unspliceable)) throw error;
      this.problems.push(`${one === undefined ? 'the input' : nameOf(one.object)}: ${error.message}`);
      return undefined;
    }
  }
}

function parseAgain(text: string, name: string): StreamDocument[] | undefined {
  try {
    return parseStream(text, name);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return undefined;
  }
}

/** Without the sharing of aliases and the prototypes of YAML's own maps. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value) ?? 'null');
}

function within(at: Path, edits: readonly Edit[]): Edit[] {
  return at.length === 0 ? [...edits] : edits.map((edit) => ({ ...edit, path: [...at, ...edit.path] }));
}
