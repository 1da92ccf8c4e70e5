'use strict';

// Gathers the plugin into one folder that needs nothing but Node:
//
//   node pack.js [folder]     dist/unicrm-provider-example-node unless told otherwise

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const name = 'unicrm-provider-example-node';
const usual = path.join(__dirname, 'dist', name);
if (process.argv[2]?.startsWith('-')) throw new Error('usage: node pack.js [folder]');
const target = path.resolve(process.argv[2] ?? usual);
const protocol = path.join(__dirname, '..', '..', 'proto', 'unicrm');

if (target === usual) fs.rmSync(usual, { recursive: true, force: true });
fs.mkdirSync(target, { recursive: true });
if (fs.readdirSync(target).length > 0) throw new Error(`${target} is not empty`);

for (const item of [name, 'src', 'emulator', 'package.json', 'package-lock.json', 'README.md', 'CHANGELOG.md', 'VERSION']) {
  fs.cpSync(path.join(__dirname, item), path.join(target, item), { recursive: true });
}
fs.cpSync(path.join(__dirname, '..', '..', 'LICENSE'), path.join(target, 'LICENSE'));
fs.cpSync(protocol, path.join(target, 'proto', 'unicrm'), {
  recursive: true,
  filter: (file) => fs.statSync(file).isDirectory() || file.endsWith('.proto'),
});
// --no-bin-links: an installed plugin holds no symbolic links.
execFileSync('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-bin-links', '--no-audit', '--no-fund'], { cwd: target, stdio: ['ignore', 2, 2] });
console.log(target);
