'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { ProviderError } = require('../src/errors.js');
const { decodeToken, encodeToken } = require('../src/token.js');

test('a token comes back as the cursor that it was made of', () => {
  for (const cursor of ['a', 'YWZ0ZXI6MQ==', 'é"\\😀', '']) assert.equal(decodeToken(encodeToken(cursor)), cursor);
  assert.equal(decodeToken(''), undefined);
});

test('a token that this plugin cannot have made is refused', () => {
  const good = encodeToken('abc');
  const forged = ['null', '{}', '"abc"', '{"cursor":1}', '{"cursor":"abc","more":1}', '{ "cursor":"abc"}'].map((json) =>
    Buffer.from(json).toString('base64url'),
  );
  for (const token of ['x', '%%%', ' ', `${good}=`, `${good}\n`, good.slice(1), good.slice(0, -1), `!${good}`, ...forged]) {
    assert.throws(
      () => decodeToken(token),
      (error) => error instanceof ProviderError && error.reason === 'INVALID_PARAMETER' && error.fields[0].field === 'next_cursor',
      token,
    );
  }
});
