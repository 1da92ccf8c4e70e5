'use strict';

// The provider itself: Example CRM's API and its people as unified contacts.
// A stranger's own provider differs from this one here, in manifest.js and in
// the emulator.
//
//   GET    /v1/me              {"data": {…}}: the key works
//   GET    /v1/people          {"data": [person…], "next_cursor": "…" or null}; limit, cursor
//   GET    /v1/people/{id}     {"data": person}
//   DELETE /v1/people/{id}     {"data": {"id": …, "deleted": true}}

const { isUtf8 } = require('node:buffer');

const { ProviderError } = require('./errors.js');
const { elements, members, parse, trim } = require('./json.js');
const { wellFormed } = require('./text.js');
const { encodeToken, decodeToken } = require('./token.js');
const { VendorClient } = require('./vendor.js');

const vendorName = 'Example CRM';

function newClient(call) {
  const key = call.credentials?.api_key;
  if (typeof key !== 'string' || key === '') {
    throw new ProviderError('INVALID_PARAMETER', "the account's credentials do not fit the provider's schema: they have no api_key");
  }
  return new VendorClient(
    { name: vendorName, baseUrl: 'https://api.example-crm.test/v1', headers: { 'User-Agent': call.userAgent, Authorization: `Bearer ${key}` } },
    call,
  );
}

/** Asks the vendor whether the account's credentials work. */
async function checkConnection(call) {
  const client = newClient(call);
  await client.send({ method: 'GET', path: ['me'] });
  if (!isObject(read(client).value?.data)) throw client.error('UNEXPECTED_VENDOR_ANSWER', `${vendorName} did not say whose key it is`);
}

/**
 * One page of contacts.
 *
 * @param {number} size how many at most, between 1 and the page cap
 * @param {string} token empty for the first page
 */
async function list(call, size, token) {
  const cursor = decodeToken(token);
  const client = newClient(call);
  await client.send({
    method: 'GET',
    path: ['people'],
    query: [
      ['limit', size],
      ['cursor', cursor],
    ],
  });
  const { value, json } = read(client);
  if (!Array.isArray(value?.data)) throw client.error('UNEXPECTED_VENDOR_ANSWER', `${vendorName} answered without a list in data`);
  const contacts = elements(members(json).get('data')).map((person, i) => unified(client, value.data[i], person));
  const next = text(value.next_cursor);
  return { client, contacts, next: next === undefined ? '' : encodeToken(next) };
}

/** One contact. */
async function get(call, id) {
  const client = newClient(call);
  await client.send({ method: 'GET', path: ['people', id] });
  const { value, json } = read(client);
  return { client, contact: unified(client, value?.data, members(json).get('data')) };
}

/** Deletes by exactly one call, with no look-up first. */
async function remove(call, id) {
  const client = newClient(call);
  try {
    await client.send({ method: 'DELETE', path: ['people', id] });
  } catch (error) {
    if (error.reason === 'RECORD_NOT_FOUND' && client.deleteResent) return { client, alreadyDeleted: true };
    throw error;
  }
  const { value, json } = read(client);
  // A page of some proxy may be a 200 as well; only this means that it is gone.
  if (value?.data?.deleted !== true) throw client.error('UNEXPECTED_VENDOR_ANSWER', `${vendorName} did not say that the person was deleted`);
  return { client, contact: { remote_data: json } };
}

/** The last answer's body, parsed and as text. Bytes that are no UTF-8 have no place in JSON, and become U+FFFD. */
function read(client) {
  const { body, status } = client.answer;
  const json = trim(isUtf8(body) ? body : Buffer.from(body.toString()));
  const value = parse(json);
  if (value === undefined) throw client.error('UNEXPECTED_VENDOR_ANSWER', `${vendorName} answered ${status} with a body that is not JSON`);
  return { value, json };
}

/**
 * A person of the vendor as the protocol's Contact.
 *
 * @param {object} person the record, parsed
 * @param {Buffer} json the same record as the vendor wrote it
 */
function unified(client, person, json) {
  const parts = json ? members(json) : new Map();
  const id = digits(parts.get('id'));
  if (id === undefined) throw client.error('UNEXPECTED_VENDOR_ANSWER', `${vendorName} answered with a person without an id`);
  const first = text(person.first_name);
  const last = text(person.last_name);
  return {
    id,
    first_name: first,
    last_name: last,
    name: [first, last].filter(Boolean).join(' ') || undefined,
    title: text(person.job_title),
    account: isObject(person.company) ? { id: digits(members(parts.get('company')).get('id')), name: text(person.company.name) } : undefined,
    email_addresses: all(person.emails, (e) => ({ email: text(e.address), type: text(e.kind) })),
    phone_numbers: all(person.phones, (p) => ({ number: text(p.number), type: text(p.kind) })),
    tags: all(person.labels, (label) => ({ name: text(label) })),
    custom_fields: isObject(person.custom) ? parts.get('custom') : undefined,
    created_at: timestamp(person.created),
    updated_at: timestamp(person.updated),
    remote_data: json,
  };
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A number's digits as they came, which JSON.parse has rounded; undefined when it is none. */
function digits(json) {
  const number = json?.toString();
  return /^\d+$/.test(number) ? number : undefined;
}

/** A text that says something; vendors write "" for nothing. */
function text(value) {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  return wellFormed(value);
}

/** The items of a list, mapped, but for those without their first field; anything but a list has none. */
function all(items, map) {
  const mapped = (Array.isArray(items) ? items : []).filter((item) => item != null).map(map);
  return mapped.filter((item) => Object.values(item)[0] !== undefined);
}

/** An RFC 3339 date-time as google.protobuf.Timestamp; undefined when it is none. */
function timestamp(value) {
  const [whole, fraction = ''] = String(value).match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/) ?? [];
  const seconds = Math.floor(Date.parse(whole) / 1000);
  return Number.isNaN(seconds) ? undefined : { seconds, nanos: Number(fraction.padEnd(9, '0').slice(0, 9)) };
}

module.exports = { vendorName, checkConnection, list, get, remove };
