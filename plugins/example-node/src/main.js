'use strict';

// The commands of the binary. Only what a command needs is loaded: `describe`
// must work anywhere, and the host waits for it.

const { startedByHost } = require('./host.js');
const { manifest } = require('./manifest.js');

const name = `unicrm-provider-${manifest.slug}`;

const usage = `${name} ${manifest.version} is a provider plugin for unicrm, which starts it by itself.

usage:
  ${name} describe [--json]   what it is and what it can do
  ${name} emulate [flags]     run an emulator of the vendor's API (--help lists the flags)
  ${name} version             the version alone
`;

/** Describes the plugin to people. */
function describe() {
  const lines = [`${manifest.slug} ${manifest.version}: ${manifest.display_name}`, `protocol ${manifest.protocol_versions}`];
  for (const resource of manifest.resources) {
    for (const method of resource.methods) lines.push(`  ${resource.resource} ${method.method}`);
  }
  return lines.join('\n');
}

/** The manifest in protobuf's JSON mapping, where bytes are base64. */
function describeJSON() {
  const base64 = (value) => (value?.type === 'Buffer' ? Buffer.from(value.data).toString('base64') : value);
  return JSON.stringify(manifest, (_, value) => base64(value));
}

async function main([command, ...rest]) {
  switch (command) {
    case 'describe':
      console.log(rest[0] === '--json' ? describeJSON() : describe());
      return 0;
    case 'version':
    case '--version':
      console.log(manifest.version);
      return 0;
    case 'emulate':
      return require('../emulator/command.js').run(name, rest);
    case undefined:
      if (startedByHost()) return require('./serve.js').serve();
  }
  process.stderr.write(usage);
  return ['help', '--help', '-h'].includes(command) ? 0 : 2;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
