'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Log } = require('../src/log.js');

function collect(level) {
  const lines = [];
  return [new Log({ name: 'test', level, write: (line) => lines.push(line) }), lines];
}

test('a line is JSON that the host reads, with the secrets of the calls in flight struck out', () => {
  const [log, lines] = collect('info');
  const forget = log.secrets.add('s3cret', 'level'); // a secret may look like a piece of the line itself
  log.with({ account_id: 'a1' }).warn('the key s3cret', { list: ['s3cret'], none: undefined });
  forget();
  assert.match(lines[0], /^\{.*\}\n$/);
  const { '@timestamp': at, ...rest } = JSON.parse(lines[0]);
  assert.deepEqual(rest, { '@level': 'warn', '@module': 'test', '@message': 'the key [redacted]', account_id: 'a1', list: '["[redacted]"]', none: '' });
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('lines below the level are left out', () => {
  const [log, lines] = collect('warn');
  log.debug('x');
  log.info('x');
  assert.equal(lines.length, 0);
  log.error('x');
  assert.equal(lines.length, 1);
});

test('a long line is cut and stays JSON', () => {
  const [log, lines] = collect('info');
  log.error('\u0001'.repeat(40_000), { stack: '😀'.repeat(40_000) });
  assert.ok(Buffer.byteLength(lines[0]) <= 16 << 10, `${Buffer.byteLength(lines[0])} bytes`);
  assert.equal(JSON.parse(lines[0])['@level'], 'error');
});
