// Which trace a request belongs to (W3C Trace Context): what is not well-formed, or said twice, is not said.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parentOf } from '../../../../src/observe/traces/parent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const FIELD = `00-${TRACE}-${SPAN}-01`;

describe('the parent of a span', () => {
  test('is read in any letter case of the names, with all fields of its state', () => {
    const headers = ['A', 'b', 'TraceParent', FIELD, 'Tracestate', 'a=1', 'tracestate', 'b=2'];
    assert.deepEqual(parentOf(headers), { traceId: TRACE, spanId: SPAN, flags: 1, state: 'a=1,b=2' });
  });

  test('is read of a later version, as far as it is known', () => {
    const parent = parentOf(['traceparent', `cc-${TRACE}-${SPAN}-fe-more`]);
    assert.deepEqual(parent, { traceId: TRACE, spanId: SPAN, flags: 0xfe, state: '' });
  });

  const rows: readonly (readonly [what: string, ...headers: string[]])[] = [
    ['there is none', 'A', 'b', 'tracestate', 'a=1'],
    ['there are two', 'traceparent', FIELD, 'Traceparent', FIELD],
    ['it is cut off', 'traceparent', FIELD.slice(0, -1)],
    ['it is of no trace', 'traceparent', FIELD.replace(TRACE, '0'.repeat(32))],
    ['it has another name of the same length', 'tracexparent', FIELD],
  ];
  for (const [what, ...headers] of rows)
    test(`is nobody where ${what}`, () => {
      assert.equal(parentOf(headers), undefined);
    });
});
