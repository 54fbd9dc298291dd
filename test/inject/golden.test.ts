// What inject makes of well known workloads, to the byte, with its report; and that uninject gives the input back. After an
// intended change, UPDATE_GOLDEN=1 writes the files anew: read the difference.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/errors.ts';
import { inject } from '../../src/inject/inject.ts';
import { readSettings } from '../../src/inject/options.ts';
import { uninject } from '../../src/inject/uninject.ts';
import { type Fixture, golden, readFixtures, readGolden } from './workloads.ts';

type Outcome = { text: string | undefined; told: string };

function settingsOf(flags: Fixture['flags']) {
  return readSettings({ secret: ['web-tls'], ...flags }, '0.1.0', []);
}

function run({ text, flags }: Fixture): Outcome {
  try {
    const result = inject(text, settingsOf(flags), 'stdin');
    return { text: result.text, told: `${result.report.join('\n')}\n` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { text: undefined, told: `refused\n${error.problems.join('\n')}\n` };
  }
}

for (const fixture of readFixtures()) {
  describe(fixture.name, () => {
    const { text, told } = run(fixture);
    if (process.env.UPDATE_GOLDEN) {
      writeFileSync(new URL(`${fixture.name}.txt`, golden), told);
      const file = new URL(`${fixture.name}.yaml`, golden);
      if (text === undefined) rmSync(file, { force: true });
      else writeFileSync(file, text);
    }

    test('becomes what the golden file holds', () => {
      assert.equal(text, readGolden(fixture.name));
    });

    test('is reported as the golden file has it', () => {
      assert.equal(told, readFileSync(new URL(`${fixture.name}.txt`, golden), 'utf8'));
    });

    if (text === undefined) return;

    test('comes back byte for byte', () => {
      assert.equal(uninject(text, 'stdin').text, fixture.text);
    });

    test('is not injected twice', () => {
      assert.equal(inject(text, settingsOf(fixture.flags), 'stdin').text, text);
    });
  });
}
