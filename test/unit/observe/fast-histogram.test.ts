// The histogram in plain arrays tells the same as prom-client's own, for the same observations.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Histogram, type Metric, Registry } from 'prom-client';
import { FastHistogram } from '../../../src/observe/fast-histogram.ts';

const BOUNDS = [0.001, 0.01, 0.1, 1, 10];
const HELP = 'Time of \\ things.';

/** A sample a line, its labels sorted: their order means nothing. */
function comparable(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`));
}

async function both(
  labels: readonly Record<string, string>[],
  observations: readonly (readonly [series: number, value: number])[],
) {
  const fast = new FastHistogram('x_seconds', HELP, BOUNDS, labels);
  const ours = new Registry();
  ours.registerMetric(fast as unknown as Metric);
  const theirs = new Registry();
  const labelNames = Object.keys(labels[0] ?? {});
  const slow = new Histogram({ name: 'x_seconds', help: HELP, buckets: BOUNDS, labelNames, registers: [theirs] });
  for (const set of labels) slow.zero(set);
  for (const [series, value] of observations) {
    fast.observe(series, value);
    slow.observe(labels[series] ?? {}, value);
  }
  return { fast, ours: comparable(await ours.metrics()), theirs: comparable(await theirs.metrics()) };
}

const values = [
  0,
  0.0005,
  0.001,
  0.0010000001,
  0.0099,
  0.01,
  0.05,
  0.1,
  0.7,
  1,
  1.0000001,
  9.99,
  10,
  10.1,
  1e9,
  0.1 + 0.2,
];

describe('the histogram renders as prom-client does', () => {
  const cases: readonly (readonly [
    what: string,
    labels: Record<string, string>[],
    observations: [number, number][],
  ])[] = [
    ['nothing observed', [{}], []],
    ['one value', [{}], [[0, 0.05]]],
    ['values at, below and above every bound', [{}], values.map((value) => [0, value])],
    ['a label', [{ protocol: 'h2' }], values.map((value) => [0, value])],
    [
      'many series',
      [{ protocol: 'http/1.1' }, { protocol: 'http/1.0' }, { protocol: 'h2' }],
      values.map((value, i) => [i % 3, value]),
    ],
    [
      'two labels',
      [
        { a: '1', b: '2' },
        { a: '1', b: '3' },
      ],
      values.map((value, i) => [i % 2, value]),
    ],
    ['a thousand values', [{}], Array.from({ length: 1000 }, (_, i) => [0, ((i * 7919) % 13) / 1.3])],
  ];
  for (const [what, labels, observations] of cases) {
    test(what, async () => {
      const { ours, theirs } = await both(labels, observations);
      assert.deepEqual(ours, theirs);
      assert.ok(ours.length >= BOUNDS.length + 5);
    });
  }
});

test('a series that does not exist is nobody', async () => {
  const { fast, ours } = await both([{}], []);
  fast.observe(1, 5);
  fast.observe(-1, 5);
  const registry = new Registry();
  registry.registerMetric(fast as unknown as Metric);
  assert.deepEqual(comparable(await registry.metrics()), ours);
});

test('a reset begins anew', async () => {
  const { fast, ours } = await both([{}], []);
  for (const value of values) fast.observe(0, value);
  const registry = new Registry();
  registry.registerMetric(fast as unknown as Metric);
  registry.resetMetrics();
  assert.deepEqual(comparable(await registry.metrics()), ours);
});
