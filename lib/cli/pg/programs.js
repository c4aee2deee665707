'use strict'
// Programs of PostgreSQL that a command starts: pg_dump and psql.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { CommandRefusal } = require('../refusal')

// Debian keeps those of each version in a folder that no PATH has: the newest first, since pg_dump reads older servers,
// or those of one version.
function find (name, version = null) {
  const debian = '/usr/lib/postgresql'
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).filter(version => /^\d+$/.test(version)).sort((a, b) => b - a) : []
  const known = versions.filter(one => version === null || one === version).map(one => path.join(debian, one, 'bin'))
  const dirs = [...known, ...(process.env.PATH ?? '').split(path.delimiter)]
  const dir = dirs.find(dir => dir !== '' && fs.existsSync(path.join(dir, name)))
  if (dir === undefined) {
    const isServer = ['postgres', 'pg_verifybackup', 'pg_archivecleanup'].includes(name)
    throw new CommandRefusal(`${name}${version === null ? '' : ` of version ${version}`} is not there`,
      `apt-get install postgresql${isServer ? '' : '-client'}${version === null ? '' : `-${version}`}`, 'lacking')
  }
  return path.join(dir, name)
}

/**
 * The address without its password, and the environment that has it: anybody can read a command line.
 *
 * @param {string} address
 * @returns {{ address: string, env: object }}
 */
function split (address) {
  const env = { ...process.env }
  const keep = (text) => { env.PGPASSWORD = decodeURIComponent(text) }
  const [, head, user, password, rest] = /^(postgres(?:ql)?:\/\/)(?:([^:@/?]*)(?::([^@/?]*))?@)?(.*)$/s.exec(address)
  if (password !== undefined) keep(password)
  const [place, ...query] = rest.split('?')
  const options = query.join('?').split('&').filter(option => {
    if (!option.startsWith('password=')) return option !== ''
    keep(option.slice('password='.length))
    return false
  })
  return { address: `${head}${user === undefined ? '' : `${user}@`}${place}${options.length === 0 ? '' : `?${options.join('&')}`}`, env }
}

/**
 * Runs a program to its end. -> what it wrote to stdout
 *
 * @throws {CommandRefusal} it failed; what it said
 */
function run (name, address, args, input = '') {
  const file = find(name)
  const target = split(address)
  return new Promise((resolve, reject) => {
    const child = spawn(file, ['-d', target.address, ...args], { env: target.env, stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', text => { out += text })
    child.stderr.setEncoding('utf8').on('data', text => { err = (err + text).slice(-4000) })
    child.on('error', reject)
    child.on('close', (code, signal) => code === 0
      ? resolve(out)
      : reject(new CommandRefusal(`${name} failed (${signal ?? `exit code ${code}`}): ${err.trim()}`, null, 'failed')))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

/**
 * Starts a program that stays until `end()`, or until this process is gone: its input ends then.
 *
 * @returns {Promise<{ line: string, end: () => Promise<void> }>} the first line that it wrote
 * @throws {CommandRefusal} it ended before it wrote a line; what it said
 */
function hold (name, address, args, input) {
  const file = find(name)
  const target = split(address)
  return new Promise((resolve, reject) => {
    const child = spawn(file, ['-d', target.address, ...args], { env: target.env, stdio: ['pipe', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    const closed = new Promise(resolve => child.on('close', resolve))
    const end = () => { child.stdin.end(); return closed }
    child.stdout.setEncoding('utf8').on('data', text => {
      out += text
      if (out.includes('\n')) resolve({ line: out.slice(0, out.indexOf('\n')), end })
    })
    child.stderr.setEncoding('utf8').on('data', text => { err = (err + text).slice(-4000) })
    child.on('error', reject)
    child.on('close', () => reject(new CommandRefusal(`${name} failed: ${err.trim()}`, null, 'failed')))
    child.stdin.on('error', () => {})
    child.stdin.write(input)
  })
}

module.exports = { find, hold, run, split }
