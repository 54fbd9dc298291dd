// A text as Kubernetes reads it: several YAML documents (1.1) or JSON, of which each holds an object or a `kind: List` of
// them. What is not YAML is a problem with its line; nothing is ever changed here.

import { type Document, isCollection, parseAllDocuments, visit } from 'yaml';
import { ConfigError } from '../errors.ts';
import { isObject, type JsonObject, listAt, type Path } from './edits/objects.ts';
import type { Source } from './text/nodes.ts';

export type StreamDocument = Source & { readonly value: unknown };

export type StreamObject = {
  readonly source: StreamDocument;
  /** Where in its document: [], or within a List. */
  readonly at: Path;
  readonly object: JsonObject;
};

/** Throws a ConfigError that lists what is wrong with the text; `name` is what it is called there. */
export function parseStream(text: string, name: string): StreamDocument[] {
  const problems: string[] = [];
  const read = documentsIn(text).flatMap((document): StreamDocument[] => {
    const [invalid] = document.errors;
    if (invalid !== undefined) {
      problems.push(`${name} is not valid YAML: ${firstLine(invalid.message)}`);
      return [];
    }
    const odd = collectionAsKey(document);
    if (odd !== undefined) {
      problems.push(`${name} line ${lineAt(text, odd)}: a template that is not rendered; run helm template first`);
      return [];
    }
    try {
      // Aliases are resolved only here: an undefined one, or too many of them, throws.
      return [{ text, document, value: document.toJS() as unknown }];
    } catch (error) {
      problems.push(`${name} is not valid YAML: ${firstLine(error instanceof Error ? error.message : String(error))}`);
      return [];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return read;
}

/** Where a mapping or a list stands as a key, as in `name: {{ .Release.Name }}`: no object of Kubernetes has such keys. */
function collectionAsKey(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Pair(_, { key }) {
      if (!isCollection(key)) return undefined;
      found = key.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function documentsIn(text: string): Document[] {
  const options = { version: '1.1', keepSourceTokens: true, logLevel: 'error' } as const;
  const parse = (part: string): Document[] => {
    const parsed = parseAllDocuments(part, options);
    return Array.isArray(parsed) ? (parsed as Document[]) : [];
  };
  // What precedes a JSON text is blanked, so that places are those of the whole.
  return jsonEnds(text).reduce<{ documents: Document[]; start: number }>(
    ({ documents, start }, end) => ({
      documents: [...documents, ...parse(text.slice(0, start).replaceAll(/[^\r\n]/g, ' ') + text.slice(start, end))],
      start: end,
    }),
    { documents: [], start: 0 },
  ).documents;
}

/**
 * Where each of several JSON texts ends, which follow each other without a separator, as kubectl writes and reads them; the
 * last one takes what is behind it. The end of the text alone where it is YAML, which it is for kubectl too unless it begins
 * with a brace.
 */
function jsonEnds(text: string): number[] {
  const ends: number[] = [];
  if (!/^\s*\{/.test(text)) return [text.length];
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]|[^\s"{}]+/gs)) {
    if (token === '{') depth++;
    else if (token === '}' && --depth === 0) ends.push(index + 1);
    else if (depth === 0) return [text.length];
  }
  return [...ends.slice(0, -1), text.length];
}

export function objectsOf(source: StreamDocument): StreamObject[] {
  const { value } = source;
  if (!isObject(value)) return [];
  const isList = value.kind === 'List' && Array.isArray(value.items);
  const found = isList ? listAt(value, ['items']) : [value];
  return found.flatMap((object, at) => (isObject(object) ? [{ source, at: isList ? ['items', at] : [], object }] : []));
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/:$/, '');
}
