'use strict'

// Load from wrk, started by the very process that serves it: what wrk prints is
// read after its run, so the server's loop carries nothing of it meanwhile.

const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')

const SCRIPT = path.join(__dirname, 'wrk.lua')

/** Why there can be no load, or null. */
function missing () {
  const { error } = spawnSync('wrk', ['-v'], { stdio: 'ignore' })
  return error ? 'wrk is not installed (Debian: apt-get install wrk)' : null
}

/**
 * { rate, requests, p50, p99 (ms) } of one run; wrk counts in whole seconds.
 *
 * @param {{ depth?: number, body?: string }} [more] requests sent at a time; the JSON of a POST
 */
async function load (url, ms, connections, { depth = 1, body } = {}) {
  const seconds = Math.max(1, Math.round(ms / 1000))
  const script = depth > 1 || body !== undefined
  const child = spawn('wrk', [
    // An answer that takes long is in the percentiles; wrk would call it an error after 2 s.
    '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '30s',
    ...script ? ['-s', SCRIPT, url, '--', String(depth), ...body === undefined ? [] : [body]] : [url]
  ], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', chunk => { out += chunk })
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(out)
  if (code !== 0 || !rate) throw new Error(`wrk failed: ${out}`)
  // A figure over failed requests would be one over nothing.
  const failed = /Non-2xx.*: (\d+)/.exec(out) || /Socket errors: (.*)/.exec(out)
  if (failed) throw new Error(`wrk saw failures: ${failed[0]}`)
  const [, requests] = /(\d+) requests in/.exec(out)
  return { rate: Number(rate[1]), requests: Number(requests), p50: percentile(out, 50), p99: percentile(out, 99) }
}

function percentile (out, q) {
  const [, value, unit] = new RegExp(`\\s${q}%\\s+([\\d.]+)(us|ms|s)`).exec(out)
  return Number(value) * { us: 0.001, ms: 1, s: 1000 }[unit]
}

module.exports = { missing, load }
