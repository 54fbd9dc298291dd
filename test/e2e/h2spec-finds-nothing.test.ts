// h2spec, the conformance suite for servers of HTTP/2 and HPACK, against the real program: every case passes, none is skipped.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp } from '../support/app.ts';
import { needs } from '../support/needs.ts';
import { setStage } from '../support/stage.ts';

/** All that version 2.2.1 has of the generic part, of RFC 7540 and of RFC 7541, with the one that is strict. */
const CASES = 146;
/** h2spec skips a case of flow control where the answer is shorter than its windows. */
const BODY = Buffer.alloc(64 * 1024, 'body');

test(`all ${CASES} cases of h2spec`, { timeout: 240_000 }, async (t) => {
  if (!needs(t, 'h2spec')) return;
  const app = await startApp(t, (request, response) => {
    request.resume();
    response.end(BODY);
  });
  const stage = await setStage(t);
  const { port } = await stage.start({ upstream: app.port });
  const report = join(stage.dir, 'h2spec.xml');
  const said = await runH2spec('--tls', '--insecure', `--port=${port}`, '--timeout=5', `--junit-report=${report}`);
  const cases = casesIn(await readFile(report, 'utf8'));
  const failed = cases.filter(({ outcome }) => outcome !== 'passed').map(({ name, outcome }) => `${outcome}: ${name}`);
  assert.deepEqual(failed, [], said);
  assert.equal(cases.length, CASES, said);
});

/** What it printed, whatever its exit code. */
function runH2spec(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      'h2spec',
      ['--host=localhost', '--strict', ...args, 'generic', 'hpack', 'http2'],
      (_error, stdout, stderr) => resolve(`${stdout}${stderr}`),
    );
  });
}

type Case = { name: string; outcome: string };

/** Of a JUnit report: a case that did not pass holds an element that says how. */
function casesIn(xml: string): Case[] {
  return [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes = '', inner = '']) => ({
      name: ['package', 'classname']
        .map((key) => new RegExp(`\\b${key}="([^"]*)"`).exec(attributes)?.[1] ?? '')
        .join(' '),
      outcome: /<(failure|error|skipped)\b/.exec(inner)?.[1] ?? 'passed',
    }),
  );
}
