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

// It ends with this process, however that ends: a slot has one reader, and a snapshot one holder.
function begin (name, args, env) {
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find(file => fs.existsSync(file))
  const command = [...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'INT']), find(name), ...args]
  const child = spawn(command[0], command.slice(1), { env, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  child.stdout.setEncoding('utf8')
  child.stderr.setEncoding('utf8')
  return child
}

/**
 * Runs a program to its end. -> what it wrote to stdout
 *
 * @param {string} name
 * @param {string[]} args
 * @param {{ env?: object, input?: string, signal?: AbortSignal, onLine?: Function }} [options] onLine: of stderr
 * @throws {CommandRefusal} it failed; the last of what it said
 */
function call (name, args, { env = process.env, input = '', signal, onLine } = {}) {
  const child = begin(name, args, env)
  // What a terminal sends, which they end in order at.
  const stop = () => child.kill('SIGINT')
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  return new Promise((resolve, reject) => {
    let [out, err] = ['', '']
    child.stdout.on('data', text => { out += text })
    child.stderr.on('data', text => {
      err = (err + text).slice(-4000)
      if (onLine !== undefined) for (const line of text.split(/[\r\n]+/)) if (line.trim() !== '') onLine(line.trim())
    })
    child.on('error', reject)
    child.on('close', (code, ended) => {
      signal?.removeEventListener('abort', stop)
      if (code === 0) return resolve(out)
      reject(new CommandRefusal(`${name} failed (${ended ?? `exit code ${code}`}): ${err.trim().split('\n').slice(-4).join('; ')}`, null, 'failed'))
    })
    child.stdin.end(input)
  })
}

/** The same with an address. */
function run (name, address, args, input) {
  const target = split(address)
  return call(name, ['-d', target.address, ...args], { env: target.env, input })
}

/**
 * Starts a program that stays until `end()`, or until this process is gone: its input ends then.
 *
 * @returns {Promise<{ line: string, end: () => Promise<void> }>} the first line that it wrote
 * @throws {CommandRefusal} it ended before it wrote a line; what it said
 */
function hold (name, address, args, input) {
  const target = split(address)
  const child = begin(name, ['-d', target.address, ...args], target.env)
  return new Promise((resolve, reject) => {
    let [out, err] = ['', '']
    const closed = new Promise(resolve => child.on('close', resolve))
    const end = () => { child.stdin.end(); return closed }
    child.stdout.on('data', text => {
      out += text
      if (out.includes('\n')) resolve({ line: out.slice(0, out.indexOf('\n')), end })
    })
    child.stderr.on('data', text => { err = (err + text).slice(-4000) })
    child.on('error', reject)
    child.on('close', () => reject(new CommandRefusal(`${name} failed: ${err.trim()}`, null, 'failed')))
    child.stdin.write(input)
  })
}

module.exports = { call, find, hold, run, split }
