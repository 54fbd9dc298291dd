// Thousands of documents that nobody wrote, in as many spellings: what inject makes of each is read back as what was meant
// (it refuses to give out anything else), no byte is lost, and uninject gives the input back. GENERATED=FROM-TO chooses others.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import { inject } from '../../src/inject/inject.ts';
import { readSettings } from '../../src/inject/options.ts';
import type { InjectSettings } from '../../src/inject/settings.ts';
import { uninject } from '../../src/inject/uninject.ts';
import { generateManifest } from '../support/manifests.ts';

const PART = 500;
/** One in so many is injected a second time. */
const AGAIN = 10;
/** Aliases that reach from one workload into another cannot be followed; then it says so. */
const MOST_REFUSALS_PERCENT = 1;

export function testGenerated(mode: InjectSettings['mode'], range: readonly [from: number, to: number]): void {
  const given = (process.env.GENERATED ?? '').split('-').filter(Boolean).map(Number);
  const [from = range[0], to = range[1]] = given;
  const settings = readSettings({ secret: ['web-tls'], mode: [mode] }, '0.1.0', []);
  describe(`generated manifests in ${mode} mode`, () => {
    for (let first = from; first < to; first += PART) {
      const last = Math.min(first + PART, to);
      test(`${first} to ${last - 1} keep every byte`, () => {
        const seeds = Array.from({ length: last - first }, (_, at) => first + at);
        const refused = seeds.filter((seed) => !check(seed, settings)).length;
        assert.ok(refused * 100 <= seeds.length * MOST_REFUSALS_PERCENT, `${refused} refused`);
      });
    }
  });
}

/** False where it was refused. */
function check(seed: number, settings: InjectSettings): boolean {
  const { text, untouched } = generateManifest(seed);
  let injected: string;
  try {
    injected = inject(text, settings, 'stdin').text;
  } catch (error) {
    assert.ok(error instanceof ConfigError, `seed ${seed}: ${error}`);
    assert.match(error.message, /for an anchor, an alias, a merge key/, `seed ${seed}`);
    return false;
  }
  assert.notEqual(injected, text, `seed ${seed} was injected`);
  assert.equal(uninject(injected, 'stdin').text, text, `seed ${seed} comes back`);
  if (seed % AGAIN === 0) assert.equal(inject(injected, settings, 'stdin').text, injected, `seed ${seed} stays`);
  if (untouched && settings.mode === 'target-port') assert.ok(holdsAllOf(injected, text), `seed ${seed} has all bytes`);
  return true;
}

/** Whether every character of `text` is in `longer`, in its order. */
function holdsAllOf(longer: string, text: string): boolean {
  let found = 0;
  for (const character of longer) if (character === text[found]) found++;
  return found === text.length;
}
