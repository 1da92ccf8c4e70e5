'use strict';

const { ProviderError } = require('./errors.js');
const { parse } = require('./json.js');

/**
 * Packs the vendor's cursor into a page token. The host seals tokens before
 * callers see them, so it need not hide anything.
 */
function encodeToken(cursor) {
  return Buffer.from(JSON.stringify({ cursor })).toString('base64url');
}

/**
 * Unpacks a page token. One that this plugin cannot have made is refused.
 *
 * @param {string} token empty for the first page
 * @returns {string|undefined} the vendor's cursor, undefined for the first page
 */
function decodeToken(token) {
  if (token === '') return undefined;
  const cursor = parse(Buffer.from(token, 'base64url'))?.cursor; // Buffer.from forgives everything; hence the comparison
  if (typeof cursor === 'string' && encodeToken(cursor) === token) return cursor;
  const description = 'is not one that this provider gave';
  throw new ProviderError('INVALID_PARAMETER', `next_cursor ${description}`, { fields: [{ field: 'next_cursor', description }] });
}

module.exports = { encodeToken, decodeToken };
