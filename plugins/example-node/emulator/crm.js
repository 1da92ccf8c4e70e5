'use strict';

// Example CRM, a vendor that nobody has: its API with its state. It shares
// nothing with the adapter beside it; they would only prove each other right.

const firstNames = ['Ada', 'Bruno', 'Chidi', 'Dagny', 'Emre', 'Farah', 'Goran', 'Hana'];
const lastNames = ['Quill', 'Okafor', 'Lindqvist', 'Marlowe', 'Ferreira', 'Tanaka', 'Novak'];
const titles = ['Buyer', 'Engineer', 'Head of Ops'];
const companies = ['Quill Ltd', 'Harbour Works', 'Umber & Sons'];

/** Ids begin here: a JavaScript number cannot hold this one. */
const firstId = 9007199254740993n;
const epoch = Date.UTC(2024, 0, 9, 8);
const hour = 3_600_000;

const apiKey = 'example-key-4f1d2c';
const mostPerPage = 100;
const defaultPerPage = 25;

/** The behaviours that can be chosen, the default first. */
const switches = {
  second_delete: { values: ['404', '410'], doc: 'what a delete of a deleted person answers' },
  rate_limit: { values: ['off', '10', '1000'], doc: 'requests in a minute before a 429; its headers come with every answer unless it is off' },
};

class CRM {
  /** Credentials that this instance accepts, without base_url. */
  context = { api_key: apiKey };

  #seed;
  #setting;
  #people; // id -> JSON text, in order of ids: a person's text is fixed, and so are its digits
  #deleted;
  #window = { begins: 0, left: 0 };

  /**
   * @param {number} seed how many plain people to begin with; two awkward ones come on top, unless it is 0
   * @param {(name: string) => string} setting the value of a switch
   */
  constructor(seed, setting) {
    this.#seed = seed;
    this.#setting = setting;
    this.reset();
  }

  /** Brings the state back to the start. */
  reset() {
    this.#people = new Map();
    this.#deleted = new Set();
    this.#window = { begins: 0, left: 0 };
    for (let i = 0; i < this.#seed; i++) this.#add(person(i));
    if (this.#seed === 0) return;
    this.#add((id) => `{"id":${id}}`);
    this.#add(
      (id) => `{ "2": 1e400, "id" : ${id}, "1":-0.0, "last_name":"O\\u0027Locked\\ud83d", "emails":null, "custom":{"z":1.50,"a":null}, "locked":true }`,
    );
  }

  #add(write) {
    const id = String(firstId + BigInt(this.#people.size * 2));
    this.#people.set(id, write(id));
  }

  /**
   * Answers a request.
   *
   * @param {{method: string, path: string, query: URLSearchParams, headers: object}} request path as it came, escaped
   * @returns {{status: number, headers: object, body: string}}
   */
  handle(request) {
    const limit = this.#takeFromLimit();
    const answer = limit.exceeded ? fault(429, 'rate_limited', 'Too many requests.') : this.#answer(request);
    return { ...answer, headers: { 'Content-Type': 'application/json; charset=utf-8', ...answer.headers, ...limit.headers } };
  }

  #answer({ method, path, query, headers }) {
    if (headers.authorization !== `Bearer ${apiKey}`) {
      return { ...fault(401, 'unauthorized', 'The API key is missing or not valid.'), headers: { 'WWW-Authenticate': 'Bearer' } };
    }
    const [, one] = path.match(/^\/v1\/people\/([^/]+)$/) ?? [];
    const routes = one
      ? { GET: () => this.#get(one), DELETE: () => this.#delete(one) }
      : { '/v1/people': { GET: () => this.#list(query) }, '/v1/me': { GET: () => json('{"data":{"id":77,"name":"Emulated key"}}') } }[path];
    if (!routes) return fault(404, 'no_such_path', 'There is nothing at this path.');
    if (!routes[method]) return { ...fault(405, 'method_not_allowed', `${method} does not work here.`), headers: { Allow: Object.keys(routes).join(', ') } };
    return routes[method]();
  }

  #list(query) {
    const limit = query.get('limit') ?? String(defaultPerPage);
    if (!/^\d{1,4}$/.test(limit) || limit < 1 || limit > mostPerPage) return fault(400, 'bad_limit', `limit is between 1 and ${mostPerPage}.`);
    let after = -1n;
    if (query.has('cursor')) {
      // Where the page before ended, and not how many there were: deletes and
      // additions meanwhile neither skip nor repeat anybody.
      const [, id] =
        Buffer.from(query.get('cursor'), 'base64url')
          .toString()
          .match(/^after:(\d{1,19})$/) ?? [];
      if (!id) return fault(400, 'bad_cursor', 'This is not a cursor.');
      after = BigInt(id);
    }
    const company = query.get('company');
    const left = [...this.#people].filter(([id, text]) => BigInt(id) > after && (company === null || JSON.parse(text).company?.name === company));
    const page = left.slice(0, limit);
    const next = left.length > page.length ? `"${Buffer.from(`after:${page.at(-1)[0]}`).toString('base64url')}"` : 'null';
    return json(`{"data":[${page.map(([, text]) => text).join(',')}],"next_cursor":${next}}`);
  }

  #get(id) {
    const text = this.#people.get(id);
    return text ? json(`{"data":${text}}`) : fault(404, 'not_found', 'There is no such person.');
  }

  #delete(id) {
    const text = this.#people.get(id);
    if (!text) return fault(this.#deleted.has(id) ? Number(this.#setting('second_delete')) : 404, 'not_found', 'There is no such person.');
    if (JSON.parse(text).locked) return fault(423, 'locked', 'This person is locked and cannot be deleted.');
    this.#people.delete(id);
    this.#deleted.add(id);
    return json(`{"data":{"id":${id},"deleted":true}}`);
  }

  #takeFromLimit() {
    const setting = this.#setting('rate_limit');
    if (setting === 'off') return { headers: {} };
    const now = Date.now();
    if (now - this.#window.begins >= 60_000) this.#window = { begins: now, left: Number(setting) };
    const reset = String(Math.ceil((this.#window.begins + 60_000 - now) / 1000));
    const exceeded = this.#window.left === 0;
    if (!exceeded) this.#window.left--;
    const headers = { 'X-RateLimit-Limit': setting, 'X-RateLimit-Remaining': String(this.#window.left), 'X-RateLimit-Reset': reset };
    return { exceeded, headers: exceeded ? { ...headers, 'Retry-After': reset } : headers };
  }
}

/** The i-th plain person, always the same; the id comes when it is added. */
function person(i) {
  const of = (list) => list[i % list.length];
  const date = (hours) => new Date(epoch + hours * hour).toISOString().replace('.000', '');
  const rest = {
    first_name: of(firstNames),
    last_name: of(lastNames),
    job_title: of(titles),
    company: { id: 41 + (i % companies.length), name: of(companies) },
    emails: [{ address: `contact${i + 1}@example.com`, kind: 'work' }],
    phones: [{ number: `+1 202 555 ${String(100 + (i % 100)).padStart(4, '0')}`, kind: 'work' }],
    labels: i % 3 === 0 ? ['vip'] : [],
    created: date(i * 26),
    updated: date(i * 26 + 1 + (i % 9)),
  };
  // Digits that JSON.stringify would not write.
  return (id) => `{"id":${id},${JSON.stringify(rest).slice(1, -1)},"custom":{"score":12345678901234567890,"rating":4.50}}`;
}

const json = (body) => ({ status: 200, body });

const fault = (status, code, message) => ({ status, body: JSON.stringify({ error: { code, message } }) });

module.exports = { CRM, switches };
