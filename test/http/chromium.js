'use strict'

// A real browser, which fills in Origin and Sec-Fetch-Site by itself and asks before it posts elsewhere:
// Debian's package chromium, or what UNDERCROFT_CHROMIUM names.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { tmpdir } = require('../helper')

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const program = process.env.UNDERCROFT_CHROMIUM ?? places.find((file) => fs.existsSync(file)) ?? null

// A browser takes seconds to begin, and a machine may have much else to do.
const VISIT_MS = 120_000
let last = 0

/**
 * Opens a page until the promise is settled. Ends with all of its processes.
 * @param {string} url
 * @param {Promise<T>} over what the page has told, by whatever way
 * @returns {Promise<T>} rejects when the browser ends before, and when it takes too long
 */
async function visit (t, url, over) {
  const profile = path.join(tmpdir(t), `chromium-${++last}`)
  const args = ['--headless', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    `--user-data-dir=${profile}`, '--remote-debugging-port=0', ...process.getuid() === 0 ? ['--no-sandbox'] : [], url]
  // A group of its own: the browser is many processes.
  const proc = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  let said = ''
  proc.stderr.setEncoding('utf8').on('data', (text) => { said += text })
  const ended = new Promise((resolve, reject) => {
    proc.on('error', reject)
    proc.on('close', (code, signal) => reject(new Error(`the browser has ended with ${signal ?? code}: ${said.slice(-2000)}`)))
  })
  ended.catch(() => {})
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`the page has told nothing: ${said.slice(-2000)}`)) }, VISIT_MS)
  })
  try {
    return await Promise.race([over, ended, late])
  } finally {
    clearTimeout(timer)
    if (proc.exitCode === null && proc.signalCode === null) process.kill(-proc.pid, 'SIGKILL')
    await ended.catch(() => {})
  }
}

module.exports = { program, visit }
