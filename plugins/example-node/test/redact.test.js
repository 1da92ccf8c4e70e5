'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { mark, Secrets, secretsIn } = require('../src/redact.js');

const secret = 'k3y/with "quotes" é+';

function knowing(...texts) {
  const secrets = new Secrets();
  secrets.add(...texts);
  return secrets;
}

test('a secret is struck in every form in which it travels', () => {
  const secrets = knowing(secret);
  const forms = {
    plain: secret,
    quoted: JSON.stringify(secret),
    'in a path': encodeURIComponent(secret),
    'in a query': encodeURIComponent(secret).replaceAll('%20', '+'),
    'as a user without a password': Buffer.from(`${secret}:`).toString('base64'),
    'as a password': Buffer.from(`user:${secret}`).toString('base64'),
    'inside base64url': Buffer.from(`ab${secret}cd`).toString('base64url'),
  };
  for (const [name, form] of Object.entries(forms)) {
    for (const clean of [secrets.text(`before ${form} after`), secrets.bytes(Buffer.from(`before ${form} after`)).toString()]) {
      assert.ok(clean.includes(mark) && !clean.includes(form), `${name}: ${clean}`);
      assert.ok(clean.startsWith('before ') && clean.endsWith(' after'), `${name}: ${clean}`);
    }
  }
});

test('a secret is struck however a writer of JSON has escaped it, and the rest stays to the byte', () => {
  const unicode = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const forms = {
    all: [...secret].map(unicode).join(''),
    'all, in capitals': [...secret].map((c) => unicode(c).toUpperCase().replace('U', 'u')).join(''),
    'every other': [...secret].map((c, i) => (i % 2 ? unicode(c) : c)).join(''),
    'what JSON.stringify does': JSON.stringify(secret).slice(1, -1),
    'and slashes': JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/'),
    'base64 with slashes': Buffer.from(`ab${secret}`).toString('base64').replaceAll('/', '\\/'),
  };
  for (const [name, form] of Object.entries(forms)) {
    for (const [before, after] of [
      ['{"id":9007199254740993, "\\u0061":1.0,"', '":"x\\/y"}'],
      ['<p>', '</p>'],
    ]) {
      const clean = knowing(secret)
        .bytes(Buffer.from(before + form + after))
        .toString();
      if (name.startsWith('base64')) assert.match(clean, /\[redacted\]/, name);
      else assert.equal(clean, before + mark + after, name);
    }
  }
});

test('bytes that are no UTF-8 stay as they are', () => {
  const bytes = Buffer.concat([Buffer.from([0xff, 0xc3]), Buffer.from('secret'), Buffer.from([0x80])]);
  assert.deepEqual(knowing('secret').bytes(bytes), Buffer.concat([Buffer.from([0xff, 0xc3]), Buffer.from(mark), Buffer.from([0x80])]));
});

test('a secret beyond ASCII is struck out of bytes in any encoding', () => {
  for (const encoding of ['utf8', 'latin1']) {
    const bytes = Buffer.concat([Buffer.from([0xff]), Buffer.from('schlüssel', encoding)]);
    assert.deepEqual(knowing('schlüssel').bytes(bytes), Buffer.concat([Buffer.from([0xff]), Buffer.from(mark)]), encoding);
  }
});

test('no secret cuts a longer one in two', () => {
  assert.equal(knowing('abcd', 'abcdefgh').text('abcdefgh'), mark);
});

test('what is too short to tell from ordinary words is left', () => {
  assert.equal(knowing('abc', '    ').text('abc     abc'), 'abc     abc');
});

test('a secret is forgotten when the last one who told it forgets it', () => {
  const secrets = new Secrets();
  const [one, other] = [secrets.add('secret'), secrets.add('secret')];
  one();
  assert.equal(secrets.text('secret'), mark);
  other();
  assert.equal(secrets.text('secret'), 'secret');
});

test('the secrets of credentials are what the schema marks as writeOnly', () => {
  const schema = { properties: { key: { writeOnly: true }, pin: { writeOnly: true }, name: {}, other: { writeOnly: true } } };
  assert.deepEqual(secretsIn(schema, { key: 'k', name: 'n', pin: 12345, more: 'm' }), ['k', '12345']);
  assert.deepEqual(secretsIn(schema, undefined), []);
});
