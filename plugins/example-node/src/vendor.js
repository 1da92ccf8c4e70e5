'use strict';

// The HTTP client for the vendor's API: one origin, no redirects, a cap on
// answers, retries where they can do no harm, errors by status.

const http = require('node:http');
const https = require('node:https');
const { setTimeout: sleep } = require('node:timers/promises');

const { ProviderError, reasonForStatus } = require('./errors.js');
const { parse, trim } = require('./json.js');

/** The most that is read of an answer, in bytes. */
const maxBody = 16 << 20;
/** The same for answers other than 2xx, of which callers see 64 KiB. */
const maxErrorBody = 256 << 10;
/** How often a request is sent again after the first try. */
const maxRetries = 3;

// One connection carries one request at a time: when it breaks, no other
// customer's write is in doubt with it.
const pools = { 'http:': http, 'https:': https };
const agents = Object.fromEntries(
  Object.entries(pools).map(([protocol, { Agent }]) => [protocol, new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: 60_000 })]),
);

/**
 * Talks to the vendor for one account, within one call of the host.
 *
 * Of the call it uses `signal` (the call was given up, or its time is up),
 * `deadline` (milliseconds by the clock, after which nothing may be sent),
 * `baseUrl`, `remoteQuery` and `dryRun` as the protocol's Account and
 * CallContext have them, `secrets` and `log`. In a dry run it adds to `noted`.
 */
class VendorClient {
  /** The last answer read to its end, undefined before one. */
  answer;
  /** The last request was a DELETE that went out twice: a "not found" then means that it is gone. */
  deleteResent = false;

  #vendor;
  #call;
  #base;

  /**
   * @param {object} vendor
   * @param {string} vendor.name for messages
   * @param {string} vendor.baseUrl scheme, host and the path that all paths are below
   * @param {Record<string, string>} vendor.headers go with every request; they hold the credentials
   * @param {object} call
   */
  constructor(vendor, call) {
    this.#vendor = vendor;
    this.#call = call;
    this.#base = new URL(vendor.baseUrl);
    if (call.baseUrl) {
      const other = parseBaseUrl(call.baseUrl);
      this.#base = new URL(this.#base.pathname, other);
    }
    for (const [name, value] of Object.entries(vendor.headers)) {
      // Node would say so only when it sends, like a connection that cannot be made.
      if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
        throw new ProviderError(
          'INVALID_PARAMETER',
          `the account's credentials cannot be sent in the header ${name}: they hold a line end or another character that has no place there`,
        );
      }
    }
  }

  /**
   * Sends a request, again where that can do no harm:
   *
   * - it provably was not sent: any method;
   * - 429, or 503 with Retry-After, when the wait fits the deadline;
   * - the connection broke after it was sent: a read; a DELETE once.
   *
   * @param {object} request
   * @param {string} request.method
   * @param {string[]} request.path below the base path, each part escaped as one segment
   * @param {[string, string|number|undefined][]} [request.query] which the caller's remote_query
   *   may not replace; names with an undefined value are reserved without being sent
   * @returns {Promise<Answer>} a 2xx answer; any other is thrown as an error. In a dry run
   *   the request is noted, and NotSent thrown
   */
  async send(request) {
    const path = this.#path(request);
    if (this.#call.dryRun) {
      this.#call.noted.push(this.#describe(request.method, path));
      throw new NotSent();
    }
    const readOnly = request.method === 'GET';
    this.deleteResent = false;
    for (let retries = 0; ; retries++) {
      this.#checkTime(readOnly || !this.deleteResent);
      let error;
      let wait; // undefined: again is no use
      let broke = false;
      try {
        const answer = await this.#try(request.method, path);
        this.answer = answer;
        if (answer.ok) return answer;
        error = this.#classify(answer);
        wait = retryWait(answer, retries);
      } catch (thrown) {
        if (!(thrown instanceof Broken)) throw thrown;
        this.#checkTime(readOnly || !(thrown.sent || this.deleteResent));
        if (readOnly || !(thrown.sent || this.deleteResent)) {
          wait = backoff(retries);
          error = this.#unreachable(thrown.cause);
        } else {
          broke = true;
          wait = request.method === 'DELETE' && !this.deleteResent ? backoff(retries) : undefined;
          error = this.#outcomeUnknown(thrown.cause);
        }
      }
      if (wait === undefined || retries >= maxRetries || !(await this.#wait(wait))) {
        if (this.deleteResent && error.reason !== 'RECORD_NOT_FOUND') throw this.#outcomeUnknown(error); // the first may have taken effect
        throw error;
      }
      this.deleteResent ||= broke;
      this.#call.log.debug('sending again', { method: request.method, again: retries + 1, after_ms: wait, cause: error.message });
    }
  }

  /** A request as the protocol's VendorRequest: without the header that holds the credentials. */
  #describe(method, path) {
    const { secrets } = this.#call;
    const shown = Object.entries({ Accept: 'application/json', ...this.#vendor.headers }).filter(([name]) => name !== 'Authorization');
    const headers = shown.map(([name, value]) => ({ name, value: secrets.text(value) }));
    return { method, url: secrets.text(this.#base.origin + path), headers, main: true };
  }

  #path({ path, query = [] }) {
    const reserved = query.map(([name]) => name.toLowerCase());
    for (const { name } of this.#call.remoteQuery) {
      if (reserved.includes(name.split('[')[0].toLowerCase())) {
        const field = `remote_query[${name}]`;
        const description = 'is set by the provider itself';
        throw new ProviderError('INVALID_PARAMETER', `${field} ${description}; use limit and next_cursor for paging`, { fields: [{ field, description }] });
      }
    }
    const all = [...query.filter(([, value]) => value !== undefined), ...this.#call.remoteQuery.map(({ name, value }) => [name, value])];
    const search = all.map(([name, value]) => `${escape(name)}=${escape(String(value))}`).join('&');
    return [this.#base.pathname.replace(/\/$/, ''), ...path.map(encodeURIComponent)].join('/') + (search && `?${search}`);
  }

  /** Sends once. Throws Broken when no answer came. */
  #try(method, path) {
    const { protocol, hostname, port } = this.#base;
    return new Promise((resolve, reject) => {
      let sent = false;
      const request = pools[protocol].request({
        method,
        protocol,
        hostname: hostname.replace(/^\[|\]$/g, ''),
        port,
        path,
        headers: { Accept: 'application/json', 'Accept-Encoding': 'identity', ...this.#vendor.headers },
        agent: agents[protocol],
        signal: this.#call.signal,
        maxHeaderSize: 1 << 20,
      });
      request.on('socket', (socket) => {
        // From the moment a connection is there nothing is provable any more.
        if (request.reusedSocket || !socket.connecting) sent = true;
        else socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => (sent = true));
      });
      request.on('error', (cause) => reject(new Broken(cause, sent)));
      request.on('response', (response) => resolve(this.#read(response)));
      request.end();
    });
  }

  async #read(response) {
    const ok = response.statusCode >= 200 && response.statusCode <= 299;
    const limit = ok ? maxBody : maxErrorBody;
    const chunks = [];
    let size = 0;
    try {
      for await (const chunk of response) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > limit) break; // which closes the connection
      }
    } catch (cause) {
      throw new Broken(cause, true);
    }
    const body = Buffer.concat(chunks).subarray(0, limit);
    const answer = new Answer(response.statusCode, response.headers, body, size > limit);
    if (ok && answer.truncated) {
      throw this.error(
        'UNEXPECTED_VENDOR_ANSWER',
        `${this.#vendor.name} answered ${answer.status} with more than ${maxBody >> 20} MiB; ask for fewer records at once`,
        answer,
      );
    }
    return answer;
  }

  #classify(answer) {
    const { name } = this.#vendor;
    if (answer.status < 400) {
      return this.error('UNEXPECTED_VENDOR_ANSWER', `${name} answered ${answer.status}, a redirect, which is not followed`, answer);
    }
    const sentence = messageIn(answer.body) ?? `${name} answered ${answer.status} ${http.STATUS_CODES[answer.status] ?? ''}`.trim();
    return this.error(reasonForStatus(answer.status), sentence, answer);
  }

  /** An error that an answer caused, with the answer attached. */
  error(reason, message, answer = this.answer) {
    return new ProviderError(reason, message, { vendor: answer.toVendorAnswer(), rateLimit: answer.rateLimit(), retryAfter: retryAfter(answer.headers) });
  }

  #checkTime(nothingSent) {
    const { signal, deadline } = this.#call;
    // The clock counts beside the signal, whose timer is late in a process that was frozen.
    if (!signal.aborted && Date.now() < deadline) return;
    const { name } = this.#vendor;
    if (nothingSent) throw new ProviderError('VENDOR_TIMEOUT', `${name} did not answer in time`);
    throw new ProviderError('OUTCOME_UNKNOWN', `${name} did not answer in time, so whether the call took effect is not known`);
  }

  #unreachable(cause) {
    return new ProviderError('VENDOR_UNAVAILABLE', `${this.#vendor.name} could not be reached: ${this.#call.secrets.text(cause.message)}`, { cause });
  }

  #outcomeUnknown(cause) {
    return new ProviderError(
      'OUTCOME_UNKNOWN',
      `the connection to ${this.#vendor.name} broke before its answer, so whether the call took effect is not known`,
      { cause },
    );
  }

  /** Waits, unless that would outlast the call. */
  async #wait(ms) {
    if (Date.now() + ms >= this.#call.deadline) return false;
    try {
      await sleep(ms, undefined, { signal: this.#call.signal });
      return true;
    } catch {
      return false; // given up meanwhile
    }
  }
}

/** A vendor's answer, read to its end. */
class Answer {
  constructor(status, headers, body, truncated) {
    Object.assign(this, { status, headers, body, truncated });
  }

  get ok() {
    return this.status >= 200 && this.status <= 299;
  }

  /** The answer as the protocol's VendorAnswer; secrets are still in it. */
  toVendorAnswer() {
    const { status, headers, body, truncated } = this;
    return { status, content_type: headers['content-type'] ?? '', body, truncated };
  }

  /** The protocol's RateLimit, undefined when the answer says nothing of it. */
  rateLimit() {
    const read = (name) => (/^\d{1,18}$/.test(this.headers[name]) ? this.headers[name] : undefined);
    const limit = { limit: read('x-ratelimit-limit'), remaining: read('x-ratelimit-remaining'), reset_seconds: read('x-ratelimit-reset') };
    return Object.values(limit).some((part) => part !== undefined) ? limit : undefined;
  }
}

/** What every request of a dry run ends in. */
class NotSent extends Error {
  constructor() {
    super('nothing is sent in a dry run');
  }
}

/** No answer came. `sent` tells whether any of the request may have reached the vendor. */
class Broken extends Error {
  constructor(cause, sent) {
    super('no answer', { cause });
    this.sent = sent;
  }
}

/** Reads a base_url: scheme://host[:port] and nothing more. */
function parseBaseUrl(text) {
  if (/^https?:\/\/[^/?#@\\]+\/?$/i.test(text) && URL.canParse(text)) return new URL(text);
  throw new ProviderError('INVALID_PARAMETER', 'base_url must be http:// or https://, a host and perhaps a port, and nothing more');
}

/** Escapes for a query string, but leaves brackets and commas, which some vendors look for. */
function escape(text) {
  return encodeURIComponent(text).replace(/%5B|%5D|%2C/g, decodeURIComponent);
}

/** Milliseconds to wait before the same request can be taken; undefined when another try is no use. */
function retryWait(answer, retries) {
  const after = retryAfter(answer.headers);
  if (answer.status === 429) return after ?? backoff(retries);
  return answer.status === 503 ? after : undefined;
}

/** Retry-After, in seconds or as a date, in milliseconds. */
function retryAfter(headers) {
  const text = headers['retry-after']?.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(date - Date.now(), 0);
}

/** A random wait of up to 0.5, 1, 2 seconds and so on. */
function backoff(retries) {
  return Math.random() * 500 * 2 ** retries;
}

/** The vendor's own sentence in an error's body; undefined when there is none, or markup. */
function messageIn(body) {
  const parsed = parse(trim(body));
  const sentence = parsed?.error?.message ?? parsed?.message;
  if (typeof sentence !== 'string' || !sentence.trim() || sentence.trim().startsWith('<')) return undefined;
  return sentence.replace(/\s+/g, ' ').trim();
}

module.exports = { VendorClient, NotSent, retryAfter, maxBody };
