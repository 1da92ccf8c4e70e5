'use strict';

const { Secrets } = require('./redact.js');
const { cutText } = require('./text.js');

const levels = ['trace', 'debug', 'info', 'warn', 'error'];

/** The host cannot read the level of longer lines, in bytes. */
const maxLine = 16 << 10;

/**
 * The process's log: lines of JSON on standard error, which the host reads.
 * The secrets of the calls in flight are struck out of their values.
 */
class Log {
  constructor({ name, level = process.env.UNICRM_LOG_LEVEL, write = (line) => process.stderr.write(line), secrets = new Secrets() }, always = {}) {
    /** Secrets that no line shows. */
    this.secrets = secrets;
    Object.assign(this, { name, level, write, always });
  }

  /** The same log with fields that stand in every line. */
  with(always) {
    return new Log(this, { ...this.always, ...always });
  }

  debug(message, fields) {
    this.#line('debug', message, fields);
  }

  info(message, fields) {
    this.#line('info', message, fields);
  }

  warn(message, fields) {
    this.#line('warn', message, fields);
  }

  error(message, fields) {
    this.#line('error', message, fields);
  }

  #line(level, message, fields) {
    if (levels.indexOf(level) < levels.indexOf(this.level)) return;
    const head = { '@level': level, '@module': this.name, '@timestamp': new Date().toISOString() };
    const values = Object.entries({ '@message': message, ...this.always, ...fields }).map(([key, value]) => [
      key,
      this.secrets.text(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')),
    ]);
    let line;
    for (let limit = maxLine; ; limit /= 2) {
      line = JSON.stringify({ ...head, ...Object.fromEntries(values.map(([key, value]) => [key, cutText(value, limit)])) });
      if (Buffer.byteLength(line) < maxLine) break;
    }
    this.write(`${line}\n`);
  }
}

module.exports = { Log };
