// The way back: takes out what the annotation `original` says that an injection did. Together with it, `inject` and
// `uninject` give every byte of the input back. What it does not find any more, because somebody changed it, is told.

import { ConfigError } from '../errors.ts';
import { nameOf, type Path, textAt } from './edits/objects.ts';
import { readRecords } from './edits/original.ts';
import type { Injected } from './inject.ts';
import { workloadOf } from './pod/workload.ts';
import { ORIGINAL } from './settings.ts';
import { objectsOf, parseStream, type StreamObject } from './stream.ts';
import { Unspliceable } from './text/nodes.ts';
import { toReverseSplices } from './text/remove.ts';
import { applySplices, type Splice } from './text/splices.ts';

/** Throws a ConfigError for what is not YAML, or cannot be taken out; then there is no text. */
export function uninject(text: string, name: string): Injected {
  const report: string[] = [];
  const problems: string[] = [];
  const splices: Splice[] = [];
  for (const one of parseStream(text, name).flatMap(objectsOf)) {
    const original = originalOf(one);
    if (original === undefined) continue;
    const records = readRecords(original);
    if (records === undefined) {
      problems.push(
        `${nameOf(one.object)}: its annotation ${ORIGINAL} is not what inject wrote; take the sidecar out by hand`,
      );
      continue;
    }
    try {
      const left: string[] = [];
      splices.push(...toReverseSplices(one.source, one.at, records, left));
      report.push(`uninjected ${nameOf(one.object)}`);
      for (const pointer of left)
        report.push(`note on ${nameOf(one.object)}: ${pointer} was changed since, and stays as it is`);
    } catch (error) {
      if (!(error instanceof Unspliceable)) throw error;
      problems.push(`${nameOf(one.object)}: ${error.message}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const result = applySplices(text, splices);
  parseStream(result, `${name}, without the sidecar,`);
  if (report.length === 0) report.push('nothing here was injected');
  return { text: result, report };
}

/** A workload keeps it with its Pods, a Service with itself. */
function originalOf({ object }: StreamObject): string | undefined {
  const places: Path[] = [workloadOf(object)?.template ?? [], []];
  return places.map((place) => textAt(object, [...place, 'metadata', 'annotations', ORIGINAL])).find((text) => text);
}
