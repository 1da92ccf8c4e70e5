'use strict';

const { parseArgs } = require('node:util');

const { switches } = require('./crm.js');
const { Emulator } = require('./server.js');

const usage = (name) => `Runs an emulator of Example CRM's API on this machine until interrupted.

usage: ${name} emulate [flags]

  --listen HOST:PORT    address of the API, on loopback; port 0 takes a free one (127.0.0.1:0)
  --seed N              plain people to begin with; 0 begins with an empty CRM (30)
  --switch name=value   may be repeated
  --json                print {"url", "control_url", "context"} on one line

switches (the default first):
${Object.entries(switches)
  .map(([name, { values, doc }]) => `  ${name}=${values[0]}\n      ${doc} (${values.join(', ')})\n`)
  .join('')}
example:
  ${name} emulate --listen 127.0.0.1:9001 --seed 30 --json
`;

/**
 * The `emulate` command: runs the emulator until a signal comes or the process
 * that started this one ends.
 *
 * @param {string} name of the program
 * @param {string[]} args
 * @returns {Promise<number>} the exit code; the emulator still runs when it is 0
 */
async function run(name, args) {
  const options = {
    listen: { type: 'string', default: '127.0.0.1:0' },
    seed: { type: 'string', default: '30' },
    switch: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  };
  let flags, host, port, emulator;
  try {
    flags = parseArgs({ args, options }).values;
    if (flags.help) {
      process.stderr.write(usage(name));
      return 0;
    }
    if (!/^\d{1,5}$/.test(flags.seed)) throw new Error('--seed is not a number from 0 to 99999');
    [, host, port] = flags.listen.match(/^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):(\d{1,5})$/) ?? [];
    if (!host) throw new Error('--listen is not an address on loopback such as 127.0.0.1:9001');
    emulator = new Emulator(Number(flags.seed), readSwitches(flags.switch));
  } catch (error) {
    process.stderr.write(`${error.message}; --help lists the flags\n`);
    return 2;
  }
  const where = await emulator.listen(host.replace(/[[\]]/g, ''), Number(port));
  if (flags.json) console.log(JSON.stringify(where));
  else console.log(`Example CRM's API at ${where.url}\ncontrol interface at ${where.control_url}\naccount context:\n${JSON.stringify(where.context, null, 2)}`);
  endWithStarter();
  return 0;
}

function readSwitches(texts) {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = text.match(/^([^=]+)=(.*)$/s) ?? [];
      if (!name) throw new Error('--switch takes name=value');
      return [name, value];
    }),
  );
}

/** Ends on a signal, and when the starting process has gone: the kernel then gives this one another parent. */
function endWithStarter() {
  const end = () => process.exit(0);
  process.on('SIGINT', end).on('SIGTERM', end);
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) end();
  }, 250);
}

module.exports = { run };
