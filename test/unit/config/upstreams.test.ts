// Which app stands behind which port.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadConfig } from '../../../src/config/config.ts';
import { upstreamPerListener, upstreamsOf } from '../../../src/config/upstreams.ts';

const tcp = (port: number, more: object = {}) => ({ kind: 'tcp', host: 'localhost', port, ...more });

describe('the app of each port', () => {
  test('is the one of the same place, or the only one', () => {
    const { config } = loadConfig({ listen: [':1', ':2'], upstream: ['http://localhost:3', 'unix:/a'] }, {}, undefined);
    assert.deepEqual(upstreamPerListener(config), [tcp(3), { kind: 'unix', path: '/a' }]);
    const one = loadConfig({ listen: [':1', ':2'], upstream: 'http://localhost:3' }, {}, undefined).config;
    assert.deepEqual(upstreamPerListener(one), [tcp(3), tcp(3)]);
    assert.deepEqual(upstreamsOf(one), [tcp(3)]);
  });

  test('is one app where it is written twice, unless it is spoken to in another way', () => {
    const upstream = ['http://localhost:3', 'http://localhost:3', 'h2c://localhost:3'];
    const { config } = loadConfig({ listen: [':1', ':2', ':4'], upstream }, {}, undefined);
    assert.deepEqual(upstreamsOf(config), [tcp(3), tcp(3, { h2c: true })]);
    const [first, second] = upstreamPerListener(config);
    assert.equal(first, second);
  });

  test('comes from the environment and the file, too', () => {
    const env = { TLS_SIDECAR_LISTEN: ':1, :2', TLS_SIDECAR_UPSTREAM: 'http://localhost:3,http://localhost:4' };
    assert.deepEqual(upstreamsOf(loadConfig({}, env, undefined).config), [tcp(3), tcp(4)]);
  });
});
