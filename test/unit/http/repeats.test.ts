// Heads that repeat: what is kept is told apart by every byte, comes with the second time, and is bounded.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Derived, keep, Repeats } from '../../../src/http/repeats.ts';

describe('what was read of a text', () => {
  it('is kept when the text comes a second time, and given from the third on', () => {
    const repeats = new Repeats<string[]>();
    const [first, second] = [['a'], ['a']];
    assert.equal(repeats.find('A: a'), undefined);
    assert.equal(repeats.saw('A: a', first), false);
    assert.equal(repeats.find('A: a'), undefined);
    assert.equal(repeats.saw('A: a', second), true);
    assert.equal(repeats.find('A: a'), second);
  });

  it('is never given for a text that differs in any one byte', () => {
    const repeats = new Repeats<string[]>();
    const text = `Host: a.example\r\nCookie: ${'c'.repeat(300)}\r\n`;
    repeats.saw(text, []);
    repeats.saw(text, []);
    for (let i = 0; i < text.length; i++) {
      const other = `${text.slice(0, i)}${text[i] === 'x' ? 'y' : 'x'}${text.slice(i + 1)}`;
      assert.equal(repeats.find(other), undefined, `byte ${i}`);
    }
    assert.notEqual(repeats.find(text), undefined);
  });

  it('makes room for what comes twice in its place', () => {
    const repeats = new Repeats<string[]>();
    // More texts than there are places, each of them twice.
    const texts = Array.from({ length: 2000 }, (_, i) => `X-${i}: ${'v'.repeat(i % 50)}`);
    for (const text of [...texts, ...texts]) repeats.saw(text, [text]);
    for (const text of texts) repeats.saw(text, [text]) || repeats.saw(text, [text]);
    const found = texts.filter((text) => repeats.find(text) !== undefined);
    assert.ok(found.length > 100 && found.length <= 256, String(found.length));
    for (const text of found) assert.deepEqual(repeats.find(text), [text]);
  });

  it('is not kept of long texts', () => {
    const repeats = new Repeats<string[]>();
    const long = 'x'.repeat(2049);
    assert.equal(repeats.saw(long, []), false);
    assert.equal(repeats.saw(long, []), false);
    assert.equal(repeats.find(long), undefined);
  });
});

describe('what follows from a list', () => {
  it('is remembered of lists that are kept, and of no other', () => {
    const derived = new Derived<number>();
    const list = ['A', 'a'];
    assert.equal(derived.set(list, 1), false);
    assert.equal(derived.of(list), undefined);
    keep(list);
    assert.equal(derived.set(list, 1), true);
    assert.equal(derived.of(list), 1);
    assert.equal(derived.of(['A', 'a']), undefined, 'an equal list is another one');
  });
});
