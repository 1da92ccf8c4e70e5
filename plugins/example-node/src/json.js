'use strict';

// Pieces of JSON as they came. JSON.parse rounds numbers beyond 2^53, and
// JSON.stringify orders keys anew; what a vendor's record is made of must do
// neither. So a body is parsed for its meaning, and cut for its text.

const [quote, backslash, comma, colon] = Buffer.from('"\\,:');
const [braceOpen, braceClose, bracketOpen, bracketClose] = Buffer.from('{}[]');

/**
 * The members of a JSON object, each value as the bytes between its comma and
 * colon. Of keys that come twice the last one counts, as with JSON.parse.
 *
 * @param {Buffer} json valid JSON
 * @returns {Map<string, Buffer>} empty when it is no object
 */
function members(json) {
  const found = new Map();
  const all = pieces(json, braceOpen);
  for (let i = 0; i < all.length; i += 2) found.set(JSON.parse(all[i].toString()), all[i + 1]);
  return found;
}

/**
 * The elements of a JSON array, as bytes.
 *
 * @param {Buffer} json valid JSON
 * @returns {Buffer[]} empty when it is no array
 */
function elements(json) {
  return pieces(json, bracketOpen);
}

/** What stands between commas and colons of the outermost level. */
function pieces(json, open) {
  const found = [];
  const whole = trim(json);
  if (whole[0] !== open) return found;
  let depth = 0;
  let start = 1;
  const take = (end) => {
    const piece = trim(whole.subarray(start, end));
    if (piece.length > 0) found.push(piece); // none in {} and []
    start = end + 1;
  };
  for (let i = 0; i < whole.length; i++) {
    switch (whole[i]) {
      case quote:
        i = endOfString(whole, i);
        break;
      case braceOpen:
      case bracketOpen:
        depth++;
        break;
      case braceClose:
      case bracketClose:
        if (--depth === 0) take(i);
        break;
      case comma:
      case colon:
        if (depth === 1) take(i);
    }
  }
  return found;
}

/** The index of the quote that ends the string that begins at an index. */
function endOfString(json, start) {
  for (let i = start + 1; i < json.length; i++) {
    if (json[i] === backslash) i++;
    else if (json[i] === quote) return i;
  }
  return json.length;
}

/** Bytes without JSON's white space around them. */
function trim(json) {
  let start = 0;
  let end = json.length;
  while (start < end && isSpace(json[start])) start++;
  while (end > start && isSpace(json[end - 1])) end--;
  return json.subarray(start, end);
}

const isSpace = (byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Parses JSON; undefined when it is none. */
function parse(json) {
  try {
    return JSON.parse(json.toString());
  } catch {
    return undefined;
  }
}

module.exports = { members, elements, trim, parse };
