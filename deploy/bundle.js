'use strict'
// What is sent to a host instead of being installed there: the sources of the
// agent, and the one command that starts it.

const fs = require('node:fs')
const path = require('node:path')
const { quote, quoteAll } = require('./quote')

// Used by both sides; everything else of the agent is in deploy/agent/.
const common = ['errors.js', 'frames.js']

// flock's exit code when somebody else has the lock (`-E`).
const LOCKED = 75

// The program of `<runtime> -e`: reads one frame (frames.js) from stdin, which
// brings all the rest, and hands on what came behind it. What an old runtime
// would not understand comes with that frame. No single quotes, backslashes or
// exclamation marks: the login shell may be any.
const loader = 'const v=process.versions;if(v.bun===undefined&&parseInt(v.node)<20){' +
  'console.error("this is node "+v.node+", and 20 is needed");process.exit(69)}' +
  'let b=Buffer.alloc(0);const i=process.stdin;i.on("data",function f(d){' +
  'b=Buffer.concat([b,d]);if(b.length<8)return;const n=8+b.readUInt32BE(0);if(b.length<n)return;' +
  'i.removeListener("data",f);i.pause();const s=JSON.parse(b.subarray(8,n).toString());' +
  'new Function("require","start","rest",s.files["agent/loader.js"])(require,s,b.subarray(n))})'

let cached

/** { 'agent/main.js': source, … }: read once a process. */
function bundle () {
  cached ??= Object.fromEntries([...common, ...list(path.join(__dirname, 'agent'), 'agent')]
    .map(name => [name, fs.readFileSync(path.join(__dirname, name), 'utf8')]))
  return cached
}

function list (dir, prefix) {
  return fs.readdirSync(dir, { withFileTypes: true }).sort((a, b) => a.name < b.name ? -1 : 1).flatMap(entry => {
    const name = `${prefix}/${entry.name}`
    if (entry.isDirectory()) return list(path.join(dir, entry.name), name)
    return entry.name.endsWith('.js') ? [name] : []
  })
}

/**
 * The command line for a host's shell. With `lock` it runs under flock(1), which
 * closes the lock's descriptor in the agent (-o): what the agent starts must not
 * keep the lock, and the kernel frees it when flock or the agent ends. `env`, as
 * not every login shell knows NAME=value before a command (csh does not).
 */
function command ({ runtime, folder, lock }) {
  const agent = quoteAll([runtime, '-e', loader])
  if (!lock) return `exec ${agent}`
  const dir = `${folder}/.deploy`
  return `env LC_ALL=C mkdir -p ${quote(dir)} && exec flock -n -o -E ${LOCKED} ${quote(`${dir}/lock`)} ${agent}`
}

module.exports = { bundle, command, LOCKED }
