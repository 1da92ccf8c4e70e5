'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const { test } = require('node:test');

const { CRM } = require('../emulator/crm.js');
const { Emulator } = require('../emulator/server.js');

async function start(t, seed = 3, wanted = {}) {
  const emulator = new Emulator(seed, wanted);
  const { url, control_url: control, context } = await emulator.listen('127.0.0.1', 0);
  t.after(() => {
    for (const server of [emulator.api, emulator.control]) {
      server.close();
      server.closeAllConnections();
    }
  });
  const headers = { Authorization: `Bearer ${context.api_key}` };
  const ask = (path, method = 'GET') => fetch(url + path, { method, headers });
  const tell = (method, path, body) => fetch(control + path, { method, body: body && JSON.stringify(body) });
  return { ask, tell, url, control, context };
}

test('a list holds its place while people are deleted', async (t) => {
  const { ask } = await start(t, 10);
  const ids = async (answer) => [...(await answer.clone().text()).matchAll(/"id" ?: ?(\d{16})/g)].map(([, id]) => id);
  const cursor = async (answer) => (await answer.json()).next_cursor;
  const one = await ask('/v1/people?limit=4');
  const first = await ids(one);
  for (const id of [first[0], first[3]]) assert.equal((await ask(`/v1/people/${id}`, 'DELETE')).status, 200);
  const two = await ask(`/v1/people?limit=100&cursor=${await cursor(one)}`);
  const second = await ids(two);
  assert.equal(await cursor(two), null);
  assert.equal(new Set([...first, ...second]).size, 12);
});

test('what the vendor refuses', async (t) => {
  const { ask, url } = await start(t);
  assert.equal((await fetch(`${url}/v1/people`)).status, 401);
  assert.equal((await ask('/v1/people/1')).status, 404);
  assert.equal((await ask('/v2/people')).status, 404);
  const wrong = await ask('/v1/people', 'DELETE');
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET']);
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=', 'cursor=x', 'cursor=']) assert.equal((await ask(`/v1/people?${query}`)).status, 400, query);
});

test('switches are set whole or not at all, and a reset brings everything back', async (t) => {
  const { ask, tell } = await start(t, 1, { second_delete: '410' });
  const id = '9007199254740993';
  assert.equal((await ask(`/v1/people/${id}`, 'DELETE')).status, 200);
  assert.equal((await ask(`/v1/people/${id}`, 'DELETE')).status, 410);
  const refused = await tell('PUT', '/switches', { second_delete: '404', rate_limit: 'maybe' });
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).message, /rate_limit takes off, 10, 1000/);
  assert.deepEqual(await (await tell('PUT', '/switches', { second_delete: '404' })).json(), { second_delete: '404', rate_limit: 'off' });
  assert.equal((await ask(`/v1/people/${id}`, 'DELETE')).status, 404);
  await tell('POST', '/faults', { fault: { status: 500 }, times: -1 });
  assert.equal((await tell('POST', '/reset')).status, 204);
  assert.deepEqual(await (await tell('GET', '/switches')).json(), { second_delete: '410', rate_limit: 'off' });
  assert.deepEqual(await (await tell('GET', '/calls')).json(), []);
  assert.equal((await ask(`/v1/people/${id}`)).status, 200);
});

test('with a rate limit its headers come, and then 429', async (t) => {
  const { ask } = await start(t, 1, { rate_limit: '10' });
  for (let left = 9; left >= 0; left--) assert.equal((await ask('/v1/me')).headers.get('x-ratelimit-remaining'), String(left));
  const over = await ask('/v1/me');
  assert.equal(over.status, 429);
  assert.equal(over.headers.get('retry-after'), over.headers.get('x-ratelimit-reset'));
});

test('a fault falls on what it matches, as often as it says, and unknown ones are refused', async (t) => {
  const { ask, tell } = await start(t);
  await tell('POST', '/faults', { match: { method: 'get', path: '/v1/*/9007*3' }, fault: { status: 418, headers: { 'X-A': 'b' }, body: 'short' }, times: 2 });
  assert.equal((await ask('/v1/me')).status, 200);
  for (let i = 0; i < 2; i++) {
    const answer = await ask('/v1/people/9007199254740993');
    assert.deepEqual([answer.status, answer.headers.get('x-a'), await answer.text()], [418, 'b', 'short']);
  }
  assert.equal((await ask('/v1/people/9007199254740993')).status, 200);
  for (const bad of [
    { fault: { cut: 'x' } },
    { fault: { status: 99 } },
    { times: 0, fault: {} },
    { fault: { statu: 1 } },
    { faults: {} },
    { match: { host: 'x' } },
    [],
    { fault: { delay_ms: -1 } },
  ]) {
    assert.equal((await tell('POST', '/faults', bad)).status, 400, JSON.stringify(bad));
  }
});

test('the record of calls has what came, as it came', async (t) => {
  const { tell, url } = await start(t);
  await fetch(`${url}/v1/a%2Fb?x=%20&y`, { method: 'POST', body: 'text', headers: { 'x-some-name': 'v' } });
  const [call] = await (await tell('GET', '/calls')).json();
  assert.deepEqual([call.method, call.path, call.query, call.body, call.headers['X-Some-Name']], ['POST', '/v1/a%2Fb', 'x=%20&y', 'text', ['v']]);
});

test('the control interface does not talk to browsers', async (t) => {
  const { control } = await start(t);
  const ask = (headers) =>
    new Promise((resolve, reject) => {
      http.get(`${control}/calls`, { headers, agent: false }, (answer) => resolve(answer.resume().statusCode)).on('error', reject);
    });
  assert.equal(await ask({}), 200);
  assert.equal(await ask({ Origin: 'http://evil.test' }), 403);
  assert.equal(await ask({ Host: 'evil.test' }), 403);
});

test('two instances hold the same people to the byte', () => {
  const all = () => {
    const crm = new CRM(40, () => 'off');
    const headers = { authorization: `Bearer ${crm.context.api_key}` };
    return crm.handle({ method: 'GET', path: '/v1/people', query: new URLSearchParams('limit=100'), headers }).body;
  };
  assert.equal(all(), all());
});
