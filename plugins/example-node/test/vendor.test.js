'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const net = require('node:net');
const { test } = require('node:test');

const contacts = require('../src/contacts.js');
const { Emulator } = require('../emulator/server.js');
const { Secrets } = require('../src/redact.js');
const { NotSent, retryAfter } = require('../src/vendor.js');

const key = 'example-key-4f1d2c';
const first = '9007199254740993';

// A call as the server would make it, with far more time than a test takes.
function newCall(baseUrl, { remoteQuery = [], milliseconds = 20_000, signal = AbortSignal.timeout(milliseconds), api_key = key } = {}) {
  const secrets = new Secrets();
  secrets.add(api_key);
  const log = { debug: () => {} };
  return { credentials: { api_key }, secrets, userAgent: 'test', baseUrl, remoteQuery, signal, deadline: Date.now() + milliseconds, log };
}

async function emulator(t, ...faults) {
  const e = new Emulator(3, {});
  const { url, control_url: control } = await e.listen('127.0.0.1', 0);
  t.after(() => {
    for (const server of [e.api, e.control]) {
      server.close();
      server.closeAllConnections();
    }
  });
  for (const fault of faults) {
    const armed = await fetch(`${control}/faults`, { method: 'POST', body: JSON.stringify(fault) });
    assert.equal(armed.status, 204, await armed.text());
  }
  return { url, calls: () => e.calls.map(({ method, path }) => `${method} ${path}`) };
}

const fails = (promise, reason) =>
  assert.rejects(promise, (error) => {
    assert.equal(error.reason, reason, error.stack);
    return true;
  });

test('a delete whose connection breaks goes out once more, and then no more', async (t) => {
  const e = await emulator(t, { fault: { cut: 'after' }, times: -1 });
  await fails(contacts.remove(newCall(e.url), first), 'OUTCOME_UNKNOWN');
  assert.deepEqual(e.calls(), Array(2).fill(`DELETE /v1/people/${first}`));
});

test('a "not found" at the second try of a delete means that it is gone', async (t) => {
  for (const cut of ['during', 'after']) {
    const e = await emulator(t, { fault: { cut } });
    assert.equal((await contacts.remove(newCall(e.url), first)).alreadyDeleted, true, cut);
    assert.equal(e.calls().length, 2, cut);
  }
});

test('a delete that the vendor never saw is a plain delete at the second try', async (t) => {
  const e = await emulator(t, { fault: { cut: 'before' } });
  const { contact, alreadyDeleted } = await contacts.remove(newCall(e.url), first);
  assert.equal(alreadyDeleted, undefined);
  assert.equal(contact.remote_data.toString(), `{"data":{"id":${first},"deleted":true}}`);
});

test('a dry run of a delete shows the request without the key and sends nothing', async (t) => {
  const e = await emulator(t);
  const remoteQuery = [{ name: 'why', value: `${key} &` }];
  const call = { ...newCall(e.url, { remoteQuery }), dryRun: true, noted: [] };
  await assert.rejects(contacts.remove(call, first), NotSent);
  assert.deepEqual(e.calls(), []);
  assert.equal(call.noted.length, 1);
  const [{ method, url, headers, main }] = call.noted;
  assert.deepEqual([method, main], ['DELETE', true]);
  assert.equal(url, `${e.url}/v1/people/${first}?why=[redacted]%20%26`);
  assert.deepEqual(headers.map(({ name }) => name), ['Accept', 'User-Agent']);
});

test('after a delete that went out twice a failure leaves its outcome unknown', async (t) => {
  const e = await emulator(t, { fault: { cut: 'after' } }, { fault: { status: 500 } });
  await fails(contacts.remove(newCall(e.url), first), 'OUTCOME_UNKNOWN');
});

test('a delete that is not answered in time is not sent again', async (t) => {
  const e = await emulator(t, { fault: { delay_ms: 60_000 } });
  await fails(contacts.remove(newCall(e.url, { milliseconds: 300 }), first), 'OUTCOME_UNKNOWN');
  assert.equal(e.calls().length, 1);
});

test('a page that says 200 is no delete', async (t) => {
  for (const body of ['<html>', '', { data: {} }, null]) {
    const e = await emulator(t, { fault: { status: 200, body } });
    await fails(contacts.remove(newCall(e.url), first), 'UNEXPECTED_VENDOR_ANSWER');
  }
});

test('a read whose connection breaks goes out again', async (t) => {
  const e = await emulator(t, { fault: { cut: 'before' } }, { fault: { cut: 'during' } });
  assert.equal((await contacts.get(newCall(e.url), first)).contact.id, first);
  assert.equal(e.calls().length, 3);
});

test('a read goes out four times at most', async (t) => {
  const e = await emulator(t, { fault: { cut: 'before' }, times: -1 });
  await fails(contacts.get(newCall(e.url), first), 'VENDOR_UNAVAILABLE');
  assert.equal(e.calls().length, 4);
});

test('429 and 503 are waited for as long as the vendor says, when that fits', async (t) => {
  for (const status of [429, 503]) {
    const e = await emulator(t, { fault: { status, headers: { 'Retry-After': '0' } } });
    assert.equal((await contacts.remove(newCall(e.url), first)).contact.id, undefined);
    assert.equal(e.calls().length, 2);
    const late = await emulator(t, { fault: { status, headers: { 'Retry-After': '60' } } });
    await assert.rejects(contacts.remove(newCall(late.url), first), { retryAfter: 60_000 });
    assert.equal(late.calls().length, 1);
  }
  const silent = await emulator(t, { fault: { status: 503 } });
  await fails(contacts.remove(newCall(silent.url), first), 'VENDOR_UNAVAILABLE');
  assert.equal(silent.calls().length, 1);
});

test('nothing is sent once the time is up, though no timer has told so yet', async (t) => {
  const e = await emulator(t);
  const { signal } = new AbortController();
  await fails(contacts.remove(newCall(e.url, { milliseconds: -1, signal }), first), 'VENDOR_TIMEOUT');
  assert.deepEqual(e.calls(), []);
});

test('a redirect is not followed', async (t) => {
  const other = await emulator(t);
  const e = await emulator(t, { fault: { status: 302, headers: { Location: `${other.url}/v1/people` } }, times: -1 });
  await fails(contacts.list(newCall(e.url), 10, ''), 'UNEXPECTED_VENDOR_ANSWER');
  assert.deepEqual(other.calls(), []);
});

test('where nobody listens a write was not sent', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  await fails(contacts.remove(newCall(`http://127.0.0.1:${port}`), first), 'VENDOR_UNAVAILABLE');
});

test('more than 16 MiB is not read', async (t) => {
  const server = http.createServer((_, response) => {
    const chunk = Buffer.alloc(1 << 20, ' ');
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await fails(contacts.get(newCall(`http://127.0.0.1:${server.address().port}`), first), 'UNEXPECTED_VENDOR_ANSWER');
});

test("the caller's parameters go along, but not in the place of the plugin's own", async (t) => {
  const e = new Emulator(3, {});
  const { url } = await e.listen('127.0.0.1', 0);
  t.after(() => [e.api, e.control].forEach((server) => server.close()));
  t.after(() => e.api.closeAllConnections());
  await contacts.list(
    newCall(url, {
      remoteQuery: [
        { name: 'a[b][]', value: 'c d&e=?#/é' },
        { name: 'a[b][]', value: '' },
      ],
    }),
    2,
    '',
  );
  assert.equal(e.calls[0].query, 'limit=2&a[b][]=c%20d%26e%3D%3F%23%2F%C3%A9&a[b][]=');
  for (const name of ['limit', 'cursor', 'LIMIT', 'cursor[]']) {
    await fails(contacts.list(newCall(url, { remoteQuery: [{ name, value: '1' }] }), 2, ''), 'INVALID_PARAMETER');
  }
  assert.equal(e.calls.length, 1);
});

test('a base_url is scheme, host and port', async () => {
  for (const url of [
    'ftp://127.0.0.1',
    'http://',
    'http://127.0.0.1/path',
    'http://127.0.0.1?x',
    'http://user@127.0.0.1',
    'http://127.0.0.1:99999',
    'http://127.0.0.1\\@evil.test',
    'nonsense',
  ]) {
    await fails(contacts.get(newCall(url), first), 'INVALID_PARAMETER');
  }
});

test('credentials that cannot stand in a header are refused, unquoted', async () => {
  await assert.rejects(contacts.get(newCall('http://127.0.0.1:1', { api_key: 'k\r\nX: y' }), first), (error) => {
    assert.equal(error.reason, 'INVALID_PARAMETER');
    assert.ok(!error.message.includes('X: y'));
    return true;
  });
});

test('the awkward person is mapped, and kept as the vendor wrote it', async (t) => {
  const e = await emulator(t);
  const { contacts: page, next } = await contacts.list(newCall(e.url), 100, '');
  assert.equal(next, '');
  assert.equal(page.length, 5);
  const { remote_data: bare, ...nothing } = page[3];
  assert.equal(bare.toString(), '{"id":9007199254740999}');
  assert.deepEqual(
    Object.entries(nothing).filter(([, value]) => value !== undefined && value.length !== 0),
    [['id', '9007199254740999']],
  );
  const locked = page[4];
  assert.equal(
    locked.remote_data.toString(),
    '{ "2": 1e400, "id" : 9007199254741001, "1":-0.0, "last_name":"O\\u0027Locked\\ud83d", "emails":null, "custom":{"z":1.50,"a":null}, "locked":true }',
  );
  assert.equal(locked.last_name, 'O\u0027Locked\ufffd');
  assert.equal(locked.custom_fields.toString(), '{"z":1.50,"a":null}');
  await fails(contacts.remove(newCall(e.url), locked.id), 'VENDOR_PRECONDITION');
});

test('bytes that are no UTF-8 do not get into a record', async (t) => {
  const server = http.createServer((_, response) => response.end(Buffer.from(`{"data":{"id":${first},"first_name":"\xffa"}}`, 'latin1')));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { contact } = await contacts.get(newCall(`http://127.0.0.1:${server.address().port}`), first);
  assert.equal(contact.remote_data.toString(), `{"id":${first},"first_name":"\ufffda"}`);
});

test('one odd field does no harm to the others', async (t) => {
  const map = async (person) => {
    const e = await emulator(t, { fault: { status: 200, body: { data: { id: 7, ...person } } } });
    const { contact } = await contacts.get(newCall(e.url), '7');
    return contact;
  };
  const odd = await map({
    first_name: 5,
    last_name: [],
    job_title: ' ',
    company: 'Quill',
    emails: [null, 1, {}, { address: 'a@example.com' }],
    labels: [{}, 'vip'],
    custom: [],
  });
  assert.deepEqual(
    [odd.first_name, odd.name, odd.last_name, odd.title, odd.account, odd.custom_fields],
    ['5', '5', undefined, undefined, undefined, undefined],
  );
  assert.deepEqual(odd.email_addresses, [{ email: 'a@example.com', type: undefined }]);
  assert.deepEqual(odd.tags, [{ name: 'vip' }]);
  for (const [created, want] of [
    ['2024-01-09T08:00:00Z', { seconds: 1704787200, nanos: 0 }],
    ['2024-01-09T09:00:00.5+01:00', { seconds: 1704787200, nanos: 500_000_000 }],
    ['1969-12-31T23:59:59.123456789Z', { seconds: -1, nanos: 123_456_789 }],
    ['2024-13-09T08:00:00Z', undefined],
    ['2024-01-09', undefined],
    [['2024-01-09T08:00:00Z', 1], undefined],
    [1704787200, undefined],
    [null, undefined],
  ]) {
    assert.deepEqual((await map({ created })).created_at, want, JSON.stringify(created));
  }
});

test('a page that says 200 is no proof that a key works', async (t) => {
  for (const body of ['<html>', '', {}, null]) {
    const e = await emulator(t, { fault: { status: 200, body } });
    await fails(contacts.checkConnection(newCall(e.url)), 'UNEXPECTED_VENDOR_ANSWER');
  }
});

test('what is no person is an unexpected answer', async (t) => {
  for (const data of [null, 7, 'x', [], {}, { id: null }, { id: 'abc' }, { id: 1.5 }]) {
    const e = await emulator(t, { fault: { status: 200, body: { data } } }, { fault: { status: 200, body: { data: [data] } } });
    await fails(contacts.get(newCall(e.url), first), 'UNEXPECTED_VENDOR_ANSWER');
    await fails(contacts.list(newCall(e.url), 10, ''), 'UNEXPECTED_VENDOR_ANSWER');
  }
});

test('Retry-After is seconds or a date', () => {
  const now = Date.now();
  assert.equal(retryAfter({ 'retry-after': ' 7 ' }), 7000);
  const date = retryAfter({ 'retry-after': new Date(now + 60_000).toUTCString() });
  assert.ok(date > 50_000 && date <= 60_000, String(date));
  assert.equal(retryAfter({ 'retry-after': new Date(now - 60_000).toUTCString() }), 0);
  for (const text of ['soon', '-1', '1.5', '']) assert.equal(retryAfter({ 'retry-after': text }), undefined, text);
  assert.equal(retryAfter({}), undefined);
});
