'use strict';

/** Makes U+FFFD of halves of surrogate pairs, which JSON may hold and protobuf may not. */
function wellFormed(text) {
  return Buffer.from(text).toString();
}

/** Cuts text to that many bytes of UTF-8. */
function cutText(text, limit) {
  text = wellFormed(text);
  if (Buffer.byteLength(text) <= limit) return text;
  const bytes = Buffer.from(text);
  let cut = limit - Buffer.byteLength('…');
  while (cut > 0 && (bytes[cut] & 0xc0) === 0x80) cut--; // inside a character
  return `${bytes.toString('utf8', 0, cut)}…`;
}

module.exports = { wellFormed, cutText };
