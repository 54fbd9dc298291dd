// The first message of a call of gRPC, in any pieces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FirstMessage } from '../../../../src/listener/http2/first-message.ts';

function message(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length, 'x');
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

for (const length of [0, 1, 300, 70_000])
  test(`a message of ${length} bytes is whole with its last byte, in any pieces`, () => {
    const bytes = message(length);
    for (const piece of [1, 4, 5, 6, 1000, bytes.length]) {
      const first = new FirstMessage();
      for (let at = 0; at < bytes.length; at += piece) {
        assert.ok(!first.whole);
        first.read(bytes.subarray(at, at + piece));
      }
      assert.ok(first.whole);
    }
  });

test('what follows the first message changes nothing', () => {
  const first = new FirstMessage();
  first.read(Buffer.concat([message(3), message(9).subarray(0, 7)]));
  assert.ok(first.whole);
  first.read(Buffer.from('x'));
  assert.ok(first.whole);
});
