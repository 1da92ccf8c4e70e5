'use strict';

// The protocol's services over the provider. Here are the duties that every
// plugin has towards the host, whatever its vendor: deadlines, secrets, ids,
// errors as statuses.

const crypto = require('node:crypto');
const { Server, status } = require('@grpc/grpc-js');

const contacts = require('./contacts.js');
const { ProviderError } = require('./errors.js');
const { parse } = require('./json.js');
const { credentialsSchema, idPattern, manifest, pageCap } = require('./manifest.js');
const protocol = require('./protocol.js');
const { Secrets, secretsIn } = require('./redact.js');
const { toStatus } = require('./status.js');
const { NotSent } = require('./vendor.js');

/** The most that a gRPC message may hold, both ways, in bytes. */
const maxMessage = 40 << 20;

/** Kept back from a call's deadline in milliseconds, so that the error still reaches the host. */
const replyMargin = 250;

/** How long a call may take when the host does not say, in milliseconds. */
const longestCall = 30_000;

const wholeId = new RegExp(`^(?:${idPattern})$`);

/**
 * Makes the gRPC server, not yet bound.
 *
 * @param {import('./log.js').Log} log
 * @param {() => void} end is called when the host wants the process to end
 */
function newServer(log, end) {
  const server = new Server({ 'grpc.max_receive_message_length': maxMessage, 'grpc.max_send_message_length': maxMessage });
  const inFlight = new InFlight();
  let userAgent = `unicrm-${manifest.slug}/${manifest.version}`;

  /** Wraps a method: answers with what it returns, or with a status for what it throws. */
  const method = (handle) => async (rpc, callback) => {
    const leave = inFlight.enter();
    const secrets = new Secrets(); // struck out of the error
    try {
      callback(null, await handle(rpc, secrets));
    } catch (error) {
      callback(asStatus(error, secrets, rpc.getPath()));
    } finally {
      leave();
    }
  };

  /** Wraps a method about records, which carries a CallContext. */
  const record = (handle) =>
    method(async (rpc, secrets) => {
      const call = newCall(rpc, log, userAgent, secrets);
      try {
        return await handle(call, rpc.request);
      } finally {
        call.end();
      }
    });

  /** The status of an error; of the plugin's own mistakes only the log has the details. */
  const asStatus = (error, secrets, path) => {
    let known = error;
    if (!(error instanceof ProviderError)) {
      const incident = crypto.randomBytes(5).toString('hex');
      log.error('unexpected error', { method: path, incident, stack: secrets.text(String(error?.stack ?? error)) });
      known = new ProviderError('PLUGIN_BUG', `the provider plugin failed; its log has the details under incident ${incident}`);
    }
    log.debug('call failed', { method: path, reason: known.reason, error: secrets.text(known.message) });
    return toStatus(known, secrets);
  };

  server.addService(protocol.ProviderService, {
    Handshake: method(() => manifest),
    Configure: method(({ request }) => {
      if (request.user_agent) userAgent = request.user_agent;
      return {};
    }),
    CheckHealth: method(() => ({})),
    CheckConnection: record(async (call) => {
      await contacts.checkConnection(call).catch(notARecord);
      return {};
    }),
    // Not wrapped by method: it waits for the calls that are.
    Shutdown: (_, callback) => inFlight.idle().then(() => callback(null, {})),
  });

  // What is not advertised is left out, and answers UNIMPLEMENTED by itself.
  server.addService(protocol.ContactsService, {
    ListContacts: record(async (call, request) => {
      noDryRun(call);
      if (request.filters.length > 0 || request.sort.length > 0) {
        throw new ProviderError('UNSUPPORTED', 'this provider advertises no filters and no sort keys');
      }
      const size = request.page_size >= 1 && request.page_size <= pageCap ? request.page_size : pageCap;
      const page = await contacts.list(call, size, request.page_token).catch(notARecord);
      if (page.contacts.length > size) {
        throw page.client.error('UNEXPECTED_VENDOR_ANSWER', `${contacts.vendorName} gave ${page.contacts.length} records where ${size} were asked for`);
      }
      if (page.next && page.next === request.page_token) {
        throw page.client.error(
          'UNEXPECTED_VENDOR_ANSWER',
          `${contacts.vendorName} gave the page that was asked for as the next one, so the list would never end`,
        );
      }
      return { contacts: page.contacts, next_page_token: page.next, result: result(call, page.client) };
    }),
    GetContact: record(async (call, { id }) => {
      noDryRun(call);
      checkId(id);
      const { client, contact } = await contacts.get(call, id);
      if (contact.id !== id) {
        throw client.error('UNEXPECTED_VENDOR_ANSWER', `${contacts.vendorName} answered with the record ${contact.id} where ${id} was asked for`);
      }
      return { contact, result: result(call, client) };
    }),
    DeleteContact: record(async (call, { id }) => {
      checkId(id);
      try {
        const { client, contact, alreadyDeleted } = await contacts.remove(call, id);
        return { contact: { ...contact, id }, result: { ...result(call, client), already_deleted: alreadyDeleted } };
      } catch (error) {
        if (error instanceof NotSent) return { result: { vendor_requests: call.noted } };
        throw error;
      }
    }),
  });

  // What go-plugin's own host code asks of every plugin. Its broker and stdio
  // services are not used.
  server.addService(protocol.Health, {
    Check: (rpc, callback) =>
      rpc.request.service === 'plugin' ? callback(null, { status: 'SERVING' }) : callback({ code: status.NOT_FOUND, details: 'no such service' }),
  });
  server.addService(protocol.GRPCController, {
    Shutdown: (_, callback) => {
      callback(null, {});
      end();
    },
  });
  return server;
}

/**
 * What one call of the host brings, for the provider and its HTTP client. Its
 * signal fires when the host gives the call up or when its time is up; `end`
 * must be called when it is done.
 */
function newCall(rpc, log, userAgent, secrets) {
  const context = rpc.request.call;
  const account = context?.account;
  if (!account) throw new ProviderError('INVALID_PARAMETER', 'the request has no account');
  const now = Date.now();
  let deadline = Math.min(Number(rpc.getDeadline()), milliseconds(context.deadline) ?? Infinity);
  if (deadline === Infinity) deadline = now + longestCall;
  deadline -= Math.min(replyMargin, Math.max(deadline - now, 0) / 10);

  const givenUp = new AbortController();
  const abort = () => givenUp.abort();
  const timer = setTimeout(abort, Math.min(deadline - now, 2 ** 31 - 1));
  rpc.on('cancelled', abort);

  const credentials = parse(account.credentials);
  const texts = secretsIn(credentialsSchema, credentials);
  secrets.add(...texts);
  const forget = log.secrets.add(...texts);
  return {
    credentials,
    secrets,
    userAgent,
    baseUrl: account.base_url,
    remoteQuery: context.remote_query,
    wantVendorAnswer: context.want_vendor_answer,
    dryRun: context.dry_run,
    noted: [], // the requests of a dry run
    signal: givenUp.signal,
    deadline,
    log: log.with({ account_id: account.id, request_id: context.request_id }),
    end: () => {
      clearTimeout(timer);
      forget();
    },
  };
}

/** A google.protobuf.Timestamp as milliseconds; undefined when there is none. */
function milliseconds(timestamp) {
  return timestamp ? Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6 : undefined;
}

/** The protocol's CallResult. */
function result(call, { answer }) {
  const rest = { rate_limit: answer.rateLimit() };
  return call.wantVendorAnswer ? { ...rest, vendor_answer: { ...answer.toVendorAnswer(), body: call.secrets.bytes(answer.body) } } : rest;
}

/** The host checks ids first; this holds for hosts that do not. */
function checkId(id) {
  if (!wholeId.test(id)) throw new ProviderError('INVALID_ID', `no record of this provider can have the id ${JSON.stringify(id.slice(0, 100))}`);
}

/** A dry run of what changes nothing is none. */
function noDryRun(call) {
  if (call.dryRun) throw new ProviderError('INVALID_PARAMETER', 'a dry run is of a write');
}

/** Where no record was asked for, a 404 means that the vendor's address is wrong. */
function notARecord(error) {
  if (error.reason === 'RECORD_NOT_FOUND') error.reason = 'VENDOR_REJECTED';
  throw error;
}

/** Counts calls, so that the process ends when none is left. */
class InFlight {
  #calls = 0;
  #waiting = [];

  /** @returns {() => void} to be called when the call is answered */
  enter() {
    this.#calls++;
    return () => {
      if (--this.#calls === 0) this.#waiting.splice(0).forEach((resolve) => resolve());
    };
  }

  /** Resolves at the first moment without a call. */
  idle() {
    return this.#calls === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

module.exports = { newServer };
