'use strict'
// known_hosts as sshd(8) describes it ("SSH_KNOWN_HOSTS FILE FORMAT"): which
// lines speak of a host, and what they say about the key that it shows.

const fs = require('node:fs')
const { createHash, createHmac, timingSafeEqual } = require('node:crypto')

const SSH_PORT = 22
const MAX_BYTES = 16 * 1024 * 1024

/**
 * text -> { entries: [{ line, marker, names, type, key }], bad: [{ line, why }] }.
 * A line that cannot be read is skipped, as ssh does, and told in `bad`.
 */
function parse (text, file = 'known_hosts') {
  const entries = []
  const bad = []
  text.split(/\r?\n/).forEach((raw, i) => {
    const at = { file, line: i + 1 }
    const words = raw.trim().split(/[ \t]+/)
    if (words[0] === '' || words[0].startsWith('#')) return
    const marker = words[0].startsWith('@') ? words.shift() : null
    const [names, type, base64] = words
    const key = base64 && Buffer.from(base64, 'base64')
    if (marker && marker !== '@revoked' && marker !== '@cert-authority') bad.push({ ...at, why: `the marker ${marker} is not known` })
    else if (!key?.length) bad.push({ ...at, why: 'it is not "hosts type key"' })
    else if (keyType(key) !== type) bad.push({ ...at, why: `the key is not of the type ${type}` })
    else entries.push({ ...at, marker, names, type, key })
  })
  return { entries, bad }
}

/** Reads files that exist; one that cannot be read is in `bad`. */
function read (files) {
  const all = { entries: [], bad: [] }
  for (const file of files) {
    let text
    try {
      if (fs.statSync(file).size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`)
      text = fs.readFileSync(file, 'utf8')
    } catch (err) {
      if (err.code !== 'ENOENT') all.bad.push({ file, line: null, why: err.message })
      continue
    }
    const { entries, bad } = parse(text, file)
    all.entries.push(...entries)
    all.bad.push(...bad)
  }
  return all
}

/** The name that a host has in known_hosts. */
function hostName (host, port = SSH_PORT) {
  return port === SSH_PORT ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
}

/** Whether the first field of a line speaks of a name. */
function matches (names, name) {
  if (names.startsWith('|')) return matchesHash(names, name)
  let found = false
  for (const pattern of names.split(',')) {
    const negated = pattern.startsWith('!')
    if (!glob(negated ? pattern.slice(1) : pattern).test(name)) continue
    // "If the host name matches the negated pattern, it is not accepted (by that line)".
    if (negated) return false
    found = true
  }
  return found
}

// |1|salt|hash: HMAC-SHA1 of the name, keyed with the salt, both in base64.
function matchesHash (names, name) {
  const [, version, salt, hash] = names.split('|')
  if (version !== '1' || !salt || !hash) return false
  const wanted = Buffer.from(hash, 'base64')
  const found = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return wanted.length === found.length && timingSafeEqual(wanted, found)
}

// Only * and ? mean more than themselves: [ is part of "[host]:port".
function glob (pattern) {
  const source = pattern.toLowerCase().replace(/[.*+?^${}()|[\]\\/]/g, c => ({ '*': '.*', '?': '.' }[c] ?? `\\${c}`))
  return new RegExp(`^${source}$`, 's')
}

/**
 * What is known about a host: { keys, revoked, authorities, name }, entries each.
 * As ssh does, a key that is listed without a port is good for other ports too,
 * when none is listed for that port.
 */
function lookUp (entries, host, port) {
  const name = hostName(host, port)
  const of = wanted => entries.filter(entry => matches(entry.names, wanted))
  const exact = of(name)
  const keysIn = list => list.filter(entry => entry.marker === null)
  const found = keysIn(exact).length === 0 && port !== SSH_PORT ? [...exact, ...of(hostName(host))] : exact
  return {
    name,
    keys: keysIn(found),
    revoked: [...exact, ...of(hostName(host))].filter(entry => entry.marker === '@revoked'),
    authorities: found.filter(entry => entry.marker === '@cert-authority')
  }
}

/**
 * -> { status: 'known' | 'unknown' | 'changed' | 'revoked', entry }. `entry` is
 * the line that decided. A key of a type that no line has is 'changed' where
 * lines have others: the host was asked for those first.
 */
function judge (known, key) {
  const revoked = known.revoked.find(entry => entry.key.equals(key))
  if (revoked) return { status: 'revoked', entry: revoked }
  const same = known.keys.find(entry => entry.key.equals(key))
  if (same) return { status: 'known', entry: same }
  if (known.keys.length === 0) return { status: 'unknown', entry: null }
  return { status: 'changed', entry: known.keys.find(entry => entry.type === keyType(key)) ?? known.keys[0] }
}

/** The type that a public key says it is of (RFC 4253, section 6.6: a string first). */
function keyType (key) {
  if (key.length < 4) return null
  const size = key.readUInt32BE(0)
  return size <= 64 && key.length >= 4 + size ? key.toString('latin1', 4, 4 + size) : null
}

/** 'SHA256:…' as ssh-keygen -l prints it. */
function fingerprint (key) {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

module.exports = { fingerprint, hostName, judge, keyType, lookUp, matches, parse, read }
