'use strict';

const host = require('./host.js');
const writeHandshake = host.takeStandardOutput(); // before anything else is loaded

const crypto = require('node:crypto');
const path = require('node:path');
const { ServerCredentials } = require('@grpc/grpc-js');

const { Log } = require('./log.js');
const { manifest } = require('./manifest.js');
const { newServer } = require('./server.js');
const { newCertificate } = require('./tls.js');

/** How long connections may take to close when the process ends, in milliseconds. */
const closing = 500;

/** Speaks the protocol with the host that started this process. */
async function serve() {
  const log = new Log({ name: manifest.slug });
  process.on('uncaughtException', (error) => {
    log.error('uncaught error', { stack: String(error?.stack ?? error) });
    process.exit(1);
  });
  host.checkProtocol();
  const folder = host.socketFolder();
  host.watchLifeline(folder);

  const hostCertificate = process.env.PLUGIN_CLIENT_CERT;
  if (!hostCertificate) throw new Error('the host gave no certificate in PLUGIN_CLIENT_CERT');
  const own = await newCertificate();
  const credentials = ServerCredentials.createSsl(Buffer.from(hostCertificate), [{ private_key: own.key, cert_chain: own.pem }], true);

  const server = newServer(log, () => {
    server.tryShutdown(() => process.exit(0));
    setTimeout(() => process.exit(0), closing);
  });
  const socket = path.join(folder, `plugin${crypto.randomBytes(5).toString('hex')}`);
  await new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, credentials, (error) => (error ? reject(error) : resolve()));
  });
  const certificate = own.der.toString('base64').replace(/=+$/, '');
  writeHandshake(`1|${host.protocol}|unix|${socket}|grpc|${certificate}`);
  return 0;
}

module.exports = { serve };
