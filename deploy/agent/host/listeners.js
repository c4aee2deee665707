'use strict'

// Who listens where, by /proc: the tables of sockets (/proc/<pid>/net/tcp, tcp6 and unix; proc(5))
// say which inodes listen, and the links in /proc/<pid>/fd say who holds an inode.

const fs = require('node:fs')
const proc = require('./proc')

const LISTEN = '0A' // TCP_LISTEN and TCP_ESTABLISHED of include/net/tcp_states.h
const ESTABLISHED = '01'

/**
 * The TCP sockets of a network namespace.
 * @param {number|'self'} pid  a process in it
 * @returns {Array<{ address: string, port: number, state: string, uid: number, inode: string }>}
 */
function sockets (pid = 'self') {
  const found = []
  for (const table of ['tcp', 'tcp6']) {
    let lines
    try {
      lines = fs.readFileSync(`/proc/${pid}/net/${table}`, 'latin1').split('\n').slice(1)
    } catch {
      continue // No IPv6, or the process has ended.
    }
    for (const line of lines) {
      const fields = line.trim().split(/\s+/)
      if (fields.length < 10) continue
      const [hex, port] = fields[1].split(':')
      found.push({ address: addressOf(hex), port: parseInt(port, 16), state: fields[3], uid: Number(fields[7]), inode: fields[9] })
    }
  }
  return found
}

// The kernel prints each word of 32 bits as the number it is in memory: in the machine's byte order,
// which is the little one wherever Node and Bun run.
function addressOf (hex) {
  const bytes = Buffer.from(hex, 'hex')
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff) return bytes.subarray(12).join('.')
  const groups = []
  for (let at = 0; at < 16; at += 2) groups.push(bytes.readUInt16BE(at).toString(16))
  const text = groups.join(':')
  return text === '0:0:0:0:0:0:0:0' ? '::' : text === '0:0:0:0:0:0:0:1' ? '::1' : text
}

function isLoopback (address) {
  return address === '::1' || address.startsWith('127.')
}

/** @returns {Set<string>} the inodes of the sockets that a process holds; empty when it may not be read */
function inodesOf (pid) {
  const found = new Set()
  let names = []
  try {
    names = fs.readdirSync(`/proc/${pid}/fd`)
  } catch {
    return found
  }
  for (const name of names) {
    try {
      const link = fs.readlinkSync(`/proc/${pid}/fd/${name}`)
      if (link.startsWith('socket:[')) found.add(link.slice(8, -1))
    } catch {
      // Closed in between.
    }
  }
  return found
}

/** Where these processes listen by TCP. @returns {Array<{ pid, address, port, loopback: boolean }>} */
function listenersOf (list) {
  const found = []
  for (const pid of list) {
    const inodes = inodesOf(pid)
    if (inodes.size === 0) continue
    for (const { address, port, state, inode } of sockets(pid)) {
      if (state === LISTEN && inodes.has(inode)) found.push({ pid, address, port, loopback: isLoopback(address) })
    }
  }
  return found
}

/**
 * Who listens on a TCP port of this host, whatever the address.
 * @returns {{ address, port, uid, pid: number|null, command: string }|null}  null: nobody. `pid` is
 *   null when it belongs to somebody whose descriptors may not be read.
 */
function listenerOn (port) {
  const found = sockets().find((one) => one.port === port && one.state === LISTEN)
  if (found === undefined) return null
  const pid = proc.pids().find((one) => inodesOf(one).has(found.inode)) ?? null
  return { address: found.address, port, uid: found.uid, pid, command: pid === null ? '' : proc.command(pid) }
}

/**
 * How many connections of clients these processes hold: TCP ones accepted on the port, and those
 * accepted on the unix socket (the kernel names the accepted side by the path it was bound to).
 */
function connectionsOf (list, port, socket) {
  let tcp = 0
  let unix = 0
  for (const pid of list) {
    const inodes = inodesOf(pid)
    for (const one of sockets(pid)) {
      if (one.state === ESTABLISHED && one.port === port && inodes.has(one.inode)) tcp++
    }
    for (const one of unixSockets(pid)) {
      if (one.path === socket && !one.listens && inodes.has(one.inode)) unix++
    }
  }
  return { tcp, unix }
}

/** Whether one of these processes listens on a unix socket. */
function listensOn (list, socket) {
  return list.some((pid) => {
    const inodes = inodesOf(pid)
    return unixSockets(pid).some((one) => one.listens && one.path === socket && inodes.has(one.inode))
  })
}

function unixSockets (pid) {
  let text = ''
  try {
    text = fs.readFileSync(`/proc/${pid}/net/unix`, 'utf8')
  } catch {
    return []
  }
  const found = []
  for (const line of text.split('\n').slice(1)) {
    // Num RefCount Protocol Flags Type St Inode Path; the flag is __SO_ACCEPTCON of linux/net.h.
    const match = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (.+)$/.exec(line)
    if (match !== null) found.push({ listens: (parseInt(match[1], 16) & 0x10000) !== 0, inode: match[2], path: match[3] })
  }
  return found
}

module.exports = { connectionsOf, listenerOn, listenersOf, listensOn }
