'use strict';

/**
 * A failure with a reason of the closed list in errors.proto, written without
 * its prefix: "RECORD_NOT_FOUND". Any other error that a method throws counts
 * as the plugin's own mistake.
 */
class ProviderError extends Error {
  /**
   * @param {string} reason
   * @param {string} message one sentence for a person, without credentials
   * @param {object} [rest] parts of the protocol's Error
   * @param {{field: string, description: string}[]} [rest.fields] the inputs at fault
   * @param {number} [rest.retryAfter] milliseconds
   * @param {object} [rest.vendor] the VendorAnswer that caused the error
   * @param {object} [rest.rateLimit]
   * @param {Error} [rest.cause] for the log; does not leave the process
   */
  constructor(reason, message, { fields, retryAfter, vendor, rateLimit, cause } = {}) {
    super(message, { cause });
    Object.assign(this, { reason, fields, retryAfter, vendor, rateLimit });
  }
}

/** The reason for a vendor's HTTP status where nothing more is known. */
function reasonForStatus(status) {
  switch (status) {
    case 401:
      return 'VENDOR_UNAUTHENTICATED';
    case 403:
      return 'VENDOR_FORBIDDEN';
    case 404:
    case 410:
      return 'RECORD_NOT_FOUND';
    case 409:
      return 'VENDOR_CONFLICT';
    case 412:
    case 423:
    case 428:
      return 'VENDOR_PRECONDITION';
    case 429:
      return 'VENDOR_RATE_LIMITED';
  }
  if (status >= 500) return 'VENDOR_UNAVAILABLE';
  if (status >= 400) return 'VENDOR_REJECTED';
  return 'UNEXPECTED_VENDOR_ANSWER';
}

module.exports = { ProviderError, reasonForStatus };
