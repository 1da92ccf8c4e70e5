'use strict';

require('reflect-metadata'); // @peculiar/x509 asks for it
const { KeyObject, randomBytes, webcrypto } = require('node:crypto');
const x509 = require('@peculiar/x509');

x509.cryptoProvider.set(webcrypto); // Node 18 has it, but not as a global

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const minute = 60_000;
const year = 365 * 24 * 60 * minute;

/**
 * Makes a key and a certificate for this one start. The host trusts exactly
 * this certificate, so it has to be its own authority, and asks it for the
 * name "localhost".
 *
 * @returns {Promise<{key: Buffer, pem: Buffer, der: Buffer}>} key and
 *   certificate in PEM, and the certificate in DER
 */
async function newCertificate() {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const usage = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: ecdsa,
    name: 'CN=localhost',
    serialNumber: `01${randomBytes(15).toString('hex')}`, // positive, without a leading zero
    notBefore: new Date(Date.now() - minute), // clocks differ
    notAfter: new Date(Date.now() + 30 * year),
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(usage.digitalSignature | usage.keyAgreement | usage.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
  return {
    key: Buffer.from(KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })),
    pem: Buffer.from(certificate.toString('pem')),
    der: Buffer.from(certificate.rawData),
  };
}

module.exports = { newCertificate };
