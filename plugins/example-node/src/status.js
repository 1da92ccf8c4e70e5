'use strict';

const { Metadata } = require('@grpc/grpc-js');
const { encodeError, encodeStatus, grpcCode, reasonDoc } = require('./protocol.js');
const { cutText } = require('./text.js');

/** The most that an error carries to the host, in bytes. */
const maxDetail = 64 << 10;

/**
 * Turns an error into the gRPC status that crosses the process boundary: the
 * code of the reason, the message, and the protocol's Error as its one detail.
 *
 * @param {import('./errors.js').ProviderError} error
 * @param {import('./redact.js').Secrets} secrets are struck out of every part
 * @returns {{code: number, details: string, metadata: Metadata}}
 */
function toStatus(error, secrets) {
  const reason = `REASON_${error.reason}`;
  const message = cutText(secrets.text(error.message || reasonDoc(reason)), 4 << 10);
  const detail = {
    reason,
    message,
    fields: error.fields?.map((f) => ({ field: cutText(secrets.text(f.field), 128), description: cutText(secrets.text(f.description), 512) })),
    retry_after: error.retryAfter > 0 ? duration(error.retryAfter) : undefined,
    rate_limit: error.rateLimit,
  };
  if (error.vendor) {
    detail.vendor = { ...error.vendor, content_type: cutText(secrets.text(error.vendor.content_type), 256), body: Buffer.alloc(0) };
    const room = maxDetail - encodeError(detail).length - Buffer.byteLength(message) - 128;
    const body = secrets.bytes(error.vendor.body);
    detail.vendor.body = body.subarray(0, room);
    detail.vendor.truncated ||= body.length > room;
  }
  const code = grpcCode(reason);
  const metadata = new Metadata();
  const any = { type_url: 'type.googleapis.com/unicrm.provider.v1.Error', value: encodeError(detail) };
  metadata.set('grpc-status-details-bin', encodeStatus({ code, message, details: [any] }));
  return { code, details: message, metadata };
}

/** Milliseconds as google.protobuf.Duration. */
function duration(ms) {
  return { seconds: Math.floor(ms / 1000), nanos: Math.round(ms % 1000) * 1_000_000 };
}

module.exports = { toStatus };
