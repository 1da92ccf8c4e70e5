'use strict';

// The protocol's messages and services, read from its .proto files at start:
// there is no generated code. Names stay as they are in the files; int64 are
// strings of digits, since a JavaScript number rounds them; bytes are Buffers.

const fs = require('node:fs');
const path = require('node:path');
const protoLoader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

// A packed plugin has the files beside it; in the repository they are in proto/.
const root = path.join(__dirname, '..');
const folder = [path.join(root, 'proto'), path.join(root, '..', '..', 'proto')].find((f) => fs.existsSync(path.join(f, 'unicrm')));

const includeDirs = [folder, path.join(__dirname, 'wire')];
const loaded = protoLoader.loadSync(
  ['unicrm/provider/v1/provider.proto', 'unicrm/provider/v1/errors.proto', 'unicrm/crm/v1/contacts.proto', 'controller.proto', 'health.proto', 'status.proto'],
  { includeDirs, keepCase: true, longs: String, enums: String, defaults: true },
);

// proto-loader drops the options of enum values, where a reason's rule is.
const reasons = new protobuf.Root();
reasons.resolvePath = (_, target) => (target.startsWith('google/') ? target : path.join(folder, target));
reasons.loadSync('unicrm/provider/v1/errors.proto', { keepCase: true });
const rules = reasons.lookupEnum('unicrm.provider.v1.Reason').valuesOptions;

/** The gRPC code of a reason such as "REASON_INVALID_ID". */
const grpcCode = (reason) => rules[reason]['(rule).grpc_code'];

/** What a reason means, for people. */
const reasonDoc = (reason) => rules[reason]['(rule).doc'];

module.exports = {
  ProviderService: loaded['unicrm.provider.v1.ProviderService'],
  ContactsService: loaded['unicrm.crm.v1.ContactsService'],
  GRPCController: loaded['plugin.GRPCController'],
  Health: loaded['grpc.health.v1.Health'],
  /** @type {(detail: object) => Buffer} */
  encodeError: loaded['unicrm.provider.v1.Error'].serialize,
  /** @type {(status: object) => Buffer} */
  encodeStatus: loaded['google.rpc.Status'].serialize,
  grpcCode,
  reasonDoc,
};
