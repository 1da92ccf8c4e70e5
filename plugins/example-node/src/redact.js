'use strict';

const { isUtf8 } = require('node:buffer');

const { wellFormed } = require('./text.js');

/** What stands where a secret stood. */
const mark = '[redacted]';

/** Shorter texts would strike ordinary words. */
const shortest = 4;

const jsonEscape = /\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])/g;

/**
 * Texts that must never be printed, in the forms in which they travel: plain,
 * escaped for JSON or for URLs, in base64.
 */
class Secrets {
  #known = new Map(); // secret -> how often it was added
  #forms; // of all of them, the longest first, so that none cuts another in two; undefined until they are needed

  /**
   * Makes secrets known.
   * @param {...string} secrets
   * @returns {() => void} forgets them again
   */
  add(...secrets) {
    const added = secrets.filter((s) => s.trim() !== '' && Buffer.byteLength(s) >= shortest);
    for (const secret of added) this.#known.set(secret, (this.#known.get(secret) ?? 0) + 1);
    this.#forms = undefined;
    return () => {
      for (const secret of added) {
        const left = this.#known.get(secret) - 1;
        if (left > 0) this.#known.set(secret, left);
        else this.#known.delete(secret);
      }
      this.#forms = undefined;
    };
  }

  /** Strikes the secrets out of a text, also where JSON's escapes hide them. */
  text(text) {
    this.#forms ??= [...this.#known.keys()].flatMap(formsOf).sort((a, b) => b.length - a.length);
    for (const form of this.#forms) text = text.replaceAll(form, mark);
    const read = text.replace(jsonEscape, (escaped) => JSON.parse(`"${escaped}"`));
    return this.#forms.some((form) => read.includes(form)) ? this.#escaped(text, read) : text;
  }

  /** Strikes from a text what can be read in it once its escapes are undone. */
  #escaped(text, read) {
    const escapes = [...text.matchAll(jsonEscape)];
    let shift = 0; // an escape is longer than the one character that is read
    let next = 0;
    const placeOf = (i) => {
      while (escapes[next]?.index - shift < i) shift += escapes[next++][0].length - 1;
      return i + shift;
    };
    let clean = '';
    let kept = 0;
    for (let i = 0; i < read.length; i++) {
      const form = this.#forms.find((f) => read.startsWith(f, i));
      if (!form) continue;
      clean += text.slice(kept, placeOf(i)) + mark;
      kept = placeOf(i + form.length);
      i += form.length - 1;
    }
    return clean + text.slice(kept);
  }

  /** Strikes the secrets out of bytes, which stay as they are. */
  bytes(bytes) {
    const encoding = isUtf8(bytes) ? 'utf8' : 'latin1'; // which keeps every byte
    const text = bytes.toString(encoding);
    const clean = this.text(text);
    return clean === text ? bytes : Buffer.from(clean, encoding);
  }
}

function formsOf(secret) {
  secret = wellFormed(secret);
  const inURL = encodeURIComponent(secret);
  return [
    secret,
    Buffer.from(secret).toString('latin1'),
    inURL,
    inURL.replaceAll('%20', '+'),
    Buffer.from(secret).toString('base64'),
    Buffer.from(`${secret}:`).toString('base64'), // HTTP Basic with an empty password
    ...insideBase64(secret, 'base64'),
    ...insideBase64(secret, 'base64url'),
  ];
}

/**
 * What every run of base64 holds that the secret is a part of: three bytes are
 * four characters, so there are three ways for it to fall. Too little to tell
 * it by is left out.
 */
function insideBase64(secret, encoding) {
  const bytes = Buffer.from(secret);
  return [0, 1, 2]
    .map((before) => {
      const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding);
      return whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    })
    .filter((form) => form.length >= 8);
}

/**
 * The secrets of a credentials object: what the schema's top level marks as
 * writeOnly. A schema that nests its secrets needs a deeper walk.
 */
function secretsIn(schema, credentials) {
  return Object.entries(schema.properties)
    .filter(([name, property]) => property.writeOnly && credentials?.[name] != null)
    .map(([name]) => String(credentials[name]));
}

module.exports = { Secrets, secretsIn, mark };
