'use strict';

// Runs the CRM as a server, with the control interface that every unicrm
// emulator has (sdk/emulator/README.md): the record of requests, injected
// faults, switches, reset.

const http = require('node:http');

const { CRM, switches } = require('./crm.js');

/** What a long-running emulator remembers: calls, and bytes of each body. */
const keptCalls = 20_000;
const keptBody = 1 << 20;

class Emulator {
  /**
   * @param {number} seed
   * @param {Record<string, string>} wanted switches from the start and after each reset
   */
  constructor(seed, wanted) {
    this.wanted = wanted;
    this.setting = Object.fromEntries(Object.entries(switches).map(([name, { values }]) => [name, values[0]]));
    this.defaults = { ...this.setting };
    this.set(wanted);
    this.crm = new CRM(seed, (name) => this.setting[name]);
    this.calls = [];
    this.faults = [];
    this.api = http.createServer({ keepAliveTimeout: 0 }, (request, response) => this.#serve(request, response));
    this.control = http.createServer((request, response) => this.#serveControl(request, response));
  }

  /** Opens both listeners; resolves to {url, control_url, context}. */
  async listen(host, port) {
    const url = await listen(this.api, host, port);
    const control = await listen(this.control, '127.0.0.1', 0);
    return { url, control_url: control, context: { ...this.crm.context, base_url: url } };
  }

  /** Sets all of the switches or, on an error, none. */
  set(wanted) {
    for (const [name, value] of Object.entries(wanted)) {
      if (!Object.hasOwn(switches, name)) throw new Error(`no switch ${JSON.stringify(name)}; there are ${Object.keys(switches).join(', ')}`);
      const { values } = switches[name];
      if (!values.includes(value)) throw new Error(`switch ${name} takes ${values.join(', ')}, not ${JSON.stringify(value)}`);
    }
    Object.assign(this.setting, wanted);
  }

  /** Brings state, switches, faults and the record of calls back to the start. */
  reset() {
    Object.assign(this.setting, this.defaults, this.wanted);
    this.faults = [];
    this.calls = [];
    this.crm.reset();
  }

  async #serve(request, response) {
    const body = await readBody(request).catch(() => undefined);
    if (body === undefined) return; // the client has gone
    const [path, query = ''] = split(request.url);
    if (this.calls.length >= keptCalls) this.calls.splice(0, keptCalls / 10);
    this.calls.push({ method: request.method, path, query, headers: headerLists(request.rawHeaders), body: body.toString('utf8', 0, keptBody) });
    const vendor = () => this.crm.handle({ method: request.method, path, query: new URLSearchParams(query), headers: request.headers });
    const fault = this.#takeFault(request.method, path);
    if (!fault) return send(response, vendor());
    if (fault.delay_ms > 0 && (await goneWithin(response, fault.delay_ms))) return;
    if (fault.cut === 'before') return cut(response);
    const answer = fault.status ? faultAnswer(fault) : vendor();
    if (fault.cut === 'after') return cut(response);
    if (fault.cut === 'during') return cut(response, halfOf(answer));
    send(response, answer);
  }

  /** The first armed fault that falls on a request, counted down. */
  #takeFault(method, path) {
    const armed = this.faults.find(({ match }) => (!match.method || match.method.toUpperCase() === method) && (!match.path || matches(match.path, path)));
    if (armed && armed.times > 0 && --armed.times === 0) this.faults.splice(this.faults.indexOf(armed), 1);
    return armed?.fault;
  }

  #arm({ match = {}, fault = {}, times = 1, ...unknown }) {
    onlyKnown(unknown, match, ['method', 'path']);
    onlyKnown({}, fault, ['status', 'headers', 'body', 'delay_ms', 'cut']);
    if (fault.cut && !['before', 'during', 'after'].includes(fault.cut)) throw new Error(`cut takes before, during or after, not ${JSON.stringify(fault.cut)}`);
    if (fault.status && !(fault.status >= 200 && fault.status <= 599)) throw new Error(`status ${fault.status} is not between 200 and 599`);
    if (fault.delay_ms < 0) throw new Error('delay_ms is negative');
    if (!Number.isInteger(times) || times === 0) throw new Error('times is a positive count, or -1 for always');
    this.faults.push({ match, fault, times });
  }

  async #serveControl(request, response) {
    // A web page can make a browser send requests to loopback; such requests
    // carry an Origin or a host's name.
    if (request.headers.origin || !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(request.headers.host ?? '')) {
      return send(response, { status: 403, body: 'the control interface does not talk to browsers\n' });
    }
    const routes = {
      'GET /calls': () => this.calls,
      'DELETE /calls': () => void (this.calls = []),
      'POST /faults': (body) => this.#arm(body),
      'DELETE /faults': () => void (this.faults = []),
      'GET /switches': () => this.setting,
      'PUT /switches': (body) => {
        this.set(body);
        return this.setting;
      },
      'POST /reset': () => this.reset(),
    };
    const route = routes[`${request.method} ${request.url}`];
    if (!route) return send(response, { status: 404, body: 'no such route\n' });
    const answer = (status, value) => send(response, { status, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) });
    try {
      const body = await readBody(request);
      const value = route(/^P/.test(request.method) && body.length > 0 ? object(JSON.parse(body)) : {});
      if (value === undefined) send(response, { status: 204, body: '' });
      else answer(200, value);
    } catch (error) {
      answer(400, { message: error.message });
    }
  }
}

function listen(server, host, port) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const { address, family, port: taken } = server.address();
      resolve(`http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`);
    });
  });
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A request's target at its first question mark. */
function split(target) {
  const at = target.indexOf('?');
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}

/** Headers as lists under their usual spelling, such as {"Content-Type": ["…"]}. */
function headerLists(raw) {
  const lists = {};
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase().replace(/(^|-)[a-z]/g, (first) => first.toUpperCase());
    (lists[name] ??= []).push(raw[i + 1]);
  }
  return lists;
}

/** Compares with "*" standing for any run of characters. */
function matches(pattern, path) {
  const escaped = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(path);
}

function object(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('the body is not a JSON object');
  return value;
}

function onlyKnown(unknown, value, names) {
  const bad = [...Object.keys(unknown), ...Object.keys(object(value)).filter((name) => !names.includes(name))];
  if (bad.length > 0) throw new Error(`unknown field ${JSON.stringify(bad[0])}`);
}

/** Waits; resolves to true as soon as the client has gone. */
function goneWithin(response, ms) {
  return new Promise((resolve) => {
    const gone = () => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      response.off('close', gone);
      resolve(false);
    }, ms);
    response.once('close', gone);
  });
}

/** The answer that a fault gives in the vendor's place. */
function faultAnswer({ status, headers = {}, body }) {
  const isText = typeof body === 'string' || body == null;
  return { status, headers: isText ? headers : { 'Content-Type': 'application/json', ...headers }, body: isText ? (body ?? '') : JSON.stringify(body) };
}

function send(response, { status, headers = {}, body }) {
  const mayHaveBody = status !== 204 && status !== 304;
  response.writeHead(status, mayHaveBody ? { 'Content-Length': Buffer.byteLength(body), ...headers } : headers);
  response.end(mayHaveBody ? body : undefined);
}

/** The first half of an answer: its head with the true length and half the body, or half the status line when there is no body. */
function halfOf({ status, headers = {}, body }) {
  const line = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}\r\n`;
  const bytes = Buffer.from(body);
  if (bytes.length < 2) return line.slice(0, line.length / 2);
  const head = Object.entries({ ...headers, 'Content-Length': bytes.length }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${line}${head.join('')}\r\n`), bytes.subarray(0, bytes.length / 2)]);
}

/** Writes raw bytes, if any, and closes the connection; at once when there are none. */
function cut({ socket }, raw) {
  if (raw) socket.end(raw, () => socket.destroy());
  else socket.resetAndDestroy();
}

module.exports = { Emulator };
