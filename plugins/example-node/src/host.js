'use strict';

// What the host that starts this process gives to it: standard output for one
// line, a lifeline, a folder for the socket. proto/README.md is the
// specification.

const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

/** The major of the protocol that this plugin speaks. */
const protocol = 1;

/** Tells whether a host started this process on purpose. */
function startedByHost() {
  return process.env.UNICRM_PROVIDER_PLUGIN === 'b1b6b8a2-7f0e-4d6a-9a43-9f3f8c1f5d11';
}

/** Throws unless the host speaks this plugin's major of the protocol. */
function checkProtocol() {
  const offered = (process.env.PLUGIN_PROTOCOL_VERSIONS ?? '').split(',');
  if (!offered.includes(String(protocol))) {
    throw new Error(`the host speaks the protocol's majors ${offered}, this plugin ${protocol}`);
  }
}

/**
 * Keeps standard output for the handshake alone: whatever is printed, by a
 * library too, goes to standard error from here on. A line before the
 * handshake would break the start; what comes after it is read by nobody.
 *
 * @returns {(line: string) => void} prints the line that is meant for the host
 */
function takeStandardOutput() {
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return (line) => fs.writeSync(1, `${line}\n`);
}

/**
 * Ends the process when the host is gone, however it ended. While the lifeline
 * holds, signals that reach the host's whole process group are ignored: the
 * host ends the plugin when its calls are done.
 *
 * Node reads the lifeline on the same thread as everything else: code that
 * never gives way keeps the process alive.
 *
 * @param {string} folder of the socket, which nobody else can remove then
 */
function watchLifeline(folder) {
  process.on('SIGINT', () => {});
  const text = process.env.UNICRM_LIFELINE_FD;
  if (!text) return;
  const fd = Number(text);
  if (!(fd > 2) || !isPipe(fd)) throw new Error(`UNICRM_LIFELINE_FD=${text} is not the read end of a pipe`);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => {});
  const lifeline = new net.Socket({ fd, readable: true, writable: false });
  lifeline.on('error', () => {}); // 'close' follows
  lifeline.on('close', () => {
    removeSockets(folder);
    process.exit(0);
  });
  lifeline.resume();
}

function isPipe(fd) {
  try {
    const stat = fs.fstatSync(fd);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false;
  }
}

function removeSockets(folder) {
  try {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      if (entry.isSocket()) fs.unlinkSync(path.join(folder, entry.name));
    }
    fs.rmdirSync(folder); // fails when something else is in it, as in a shared folder
  } catch {
    // the host has removed it
  }
}

/** The folder for the socket: the host makes one of its own for each start. */
function socketFolder() {
  return process.env.PLUGIN_UNIX_SOCKET_DIR || os.tmpdir();
}

module.exports = { protocol, startedByHost, checkProtocol, takeStandardOutput, watchLifeline, socketFolder };
