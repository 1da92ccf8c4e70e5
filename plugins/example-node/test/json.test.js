'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { elements, members, parse } = require('../src/json.js');
const { randomFrom, seed } = require('./random.js');

const slice = (text) => [...members(Buffer.from(text))].map(([key, value]) => [key, value.toString()]);

test('a record keeps its digits, its order of keys and its escapes', () => {
  const text = '{"10":1e400, "2" : -0.0 ,"id":\n9007199254740993,"n":{"a":[1,2,{"b":"]}"}]},"s":"q\\"\\\\","u":"\\u00e9\\/"}';
  assert.deepEqual(slice(text), [
    ['10', '1e400'],
    ['2', '-0.0'],
    ['id', '9007199254740993'],
    ['n', '{"a":[1,2,{"b":"]}"}]}'],
    ['s', '"q\\"\\\\"'],
    ['u', '"\\u00e9\\/"'],
  ]);
});

test('bytes that are no UTF-8 stay as they are', () => {
  const json = Buffer.from([...Buffer.from('["'), 0xff, 0xc3, ...Buffer.from('",1]')]);
  assert.deepEqual(elements(json)[0], json.subarray(1, 5));
});

test('of a key that comes twice the last counts, as with JSON.parse', () => {
  assert.deepEqual(slice('{"a":1,"\\u0061":2}'), [['a', '2']]);
});

test('empty and other values have no parts', () => {
  for (const text of ['{}', ' { } ', '[]', '[ \n]', '1', '"{"', 'null', 'true']) {
    assert.equal(members(Buffer.from(text)).size, 0, text);
    assert.equal(elements(Buffer.from(text)).length, 0, text);
  }
});

test('a deep value does not end the stack', () => {
  const depth = 200_000;
  const json = Buffer.from(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
  assert.equal(members(json).get('a').length, 2 * depth);
});

test(`the parts of any value are the parts that JSON.parse sees (seed ${seed})`, () => {
  const random = randomFrom(seed);
  for (let i = 0; i < 2000; i++) {
    const json = Buffer.from(random.json());
    const value = parse(json);
    assert.notEqual(value, undefined, `${json} is not JSON`);
    const parts = Array.isArray(value)
      ? elements(json).map((part) => parse(part))
      : Object.fromEntries([...members(json)].map(([key, part]) => [key, parse(part)]));
    if (typeof value === 'object' && value !== null) assert.deepEqual(parts, value, String(json));
    else assert.deepEqual(parts, {}, String(json));
  }
});
