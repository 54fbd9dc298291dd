// The API server as the tests ask it: objects by path, and server-side apply with strict validation of fields.

import { Agent, request } from 'node:https';
import { get, isObject, type JsonObject, listAt, textAt } from '../../src/inject/edits/objects.ts';
import type { Access } from './access.ts';

export type Answer = { readonly status: number; readonly body: JsonObject; readonly text: string };

/** What the API server refused, with its own message. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Api {
  readonly #access: Access;
  readonly #agent: Agent;
  readonly #kinds = new Map<string, readonly unknown[]>();

  constructor(access: Access) {
    this.#access = access;
    this.#agent = new Agent({ keepAlive: true, ca: access.ca });
  }

  async get(path: string): Promise<JsonObject> {
    return (await this.#accepted('GET', path)).body;
  }

  /** Undefined for what is not there. */
  async find(path: string): Promise<JsonObject | undefined> {
    const { status, body } = await this.send('GET', path);
    if (status === 404) return undefined;
    if (status >= 300) throw new Refused(status, textAt(body, ['message']) ?? '');
    return body;
  }

  async items(path: string): Promise<JsonObject[]> {
    return listAt(await this.get(path), ['items']).filter(isObject);
  }

  async create(path: string, object: JsonObject): Promise<JsonObject> {
    return (await this.#accepted('POST', path, object)).body;
  }

  async patch(path: string, patch: JsonObject): Promise<JsonObject> {
    return (await this.#accepted('PATCH', path, patch, 'application/merge-patch+json')).body;
  }

  async remove(path: string): Promise<void> {
    await this.#accepted('DELETE', path);
  }

  /** Server-side apply into `namespace`, whatever the object itself says. */
  async apply(object: JsonObject, namespace: string, options: { dryRun?: boolean } = {}): Promise<Answer> {
    const { path, isNamespaced } = await this.#resourceOf(object);
    const metadata = { ...(get(object, ['metadata']) as JsonObject), ...(isNamespaced ? { namespace } : {}) };
    const place = path(isNamespaced ? namespace : undefined);
    const query = `fieldManager=test&fieldValidation=Strict${options.dryRun ? '&dryRun=All' : ''}`;
    const whole = { ...object, metadata };
    const name = textAt(metadata, ['name']);
    // What has no name yet is created; an apply would have to find it again.
    if (name === undefined) return this.#accepted('POST', `${place}?${query}`, whole);
    return this.#accepted('PATCH', `${place}/${name}?${query}&force=true`, whole, 'application/apply-patch+yaml');
  }

  /** Whether the server knows such objects. */
  async knows(object: JsonObject): Promise<boolean> {
    return this.#resourceOf(object).then(
      () => true,
      () => false,
    );
  }

  async #resourceOf(object: JsonObject) {
    const [apiVersion, kind] = [textAt(object, ['apiVersion']) ?? '', textAt(object, ['kind']) ?? ''];
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const known = this.#kinds.get(group) ?? listAt(await this.get(group), ['resources']);
    this.#kinds.set(group, known);
    const resource = known.find((one) => get(one, ['kind']) === kind && !textAt(one, ['name'])?.includes('/'));
    if (resource === undefined) throw new Refused(404, `the server knows no ${kind} of ${apiVersion}`);
    const name = textAt(resource, ['name']);
    return {
      isNamespaced: get(resource, ['namespaced']) === true,
      path: (namespace: string | undefined) =>
        namespace === undefined ? `${group}/${name}` : `${group}/namespaces/${namespace}/${name}`,
    };
  }

  async #accepted(method: string, path: string, body?: JsonObject, type?: string): Promise<Answer> {
    const answer = await this.send(method, path, body, type);
    if (answer.status < 300) return answer;
    throw new Refused(answer.status, textAt(answer.body, ['message']) ?? `${method} ${path}: ${answer.status}`);
  }

  send(method: string, path: string, body?: JsonObject, type = 'application/json'): Promise<Answer> {
    const { server, tokens } = this.#access;
    const headers = { authorization: `Bearer ${tokens.get('admin')}`, 'content-type': type };
    const call = request(new URL(path, server), { method, agent: this.#agent, headers, timeout: 30_000 });
    return new Promise((resolve, reject) => {
      call.on('error', reject);
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: parsed(text), text });
        });
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function parsed(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : { message: text };
  } catch {
    return { message: text };
  }
}
