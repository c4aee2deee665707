'use strict'

// The lines that every logger writes, and what is on the disk of them. All lines
// of a contestant have the same length, so that a file's size says how many have
// arrived without reading it; that they are the right ones is read afterwards.

const fs = require('node:fs')
const zlib = require('node:zlib')
const { setTimeout: sleep } = require('node:timers/promises')

const MESSAGE = 'request done'
const FIRST = 10000000 // eight digits from here on
const METHODS = ['GET', 'PUT']
const URLS = Array.from({ length: 64 }, (_, i) => `/users/${100000 + i}`)
const STATUSES = [200, 200, 304, 404]
const TIMES = Array.from({ length: 64 }, (_, i) => Number(`${10 + i}.${1 + (i & 7)}`))

const ARRIVAL_MS = 60000
const POLL_MS = 0.5
const CHUNK = 1 << 22
const NEWLINE = 10
const OPEN = 123 // {
const CLOSE = 125 // }
const MARK = Buffer.from('"reqId":')

/** What the service says about request i, as it would write it in the call. */
function fields (i) {
  return {
    reqId: FIRST + i,
    method: METHODS[i & 1],
    url: URLS[i & 63],
    status: STATUSES[i & 3],
    ms: TIMES[i & 63]
  }
}

/** A line, parsed, without what differs between loggers by design. */
function essence ({ reqId, method, url, status, ms, msg, message, time, pid, hostname }) {
  if (typeof time !== 'number' || typeof pid !== 'number' || typeof hostname !== 'string') {
    throw new Error('a line lacks time, pid or hostname')
  }
  return { reqId, method, url, status, ms, msg: msg ?? message }
}

const bytesOf = files => files.reduce((sum, file) => sum + fs.statSync(file).size, 0)

/** Resolves when the files of `lib` have `bytes` bytes together. */
async function arrived (lib, bytes) {
  const end = Date.now() + ARRIVAL_MS
  for (let have; (have = bytesOf(lib.files())) < bytes;) {
    if (Date.now() > end) throw new Error(`${bytes - have} bytes have not arrived in the file`)
    await sleep(POLL_MS)
  }
}

/** Has what is in the files on the disk; no more than one fsync each. */
function sync (files) {
  for (const file of files) {
    const fd = fs.openSync(file, 'r')
    fs.fsyncSync(fd)
    fs.closeSync(fd)
  }
}

/**
 * Calls fn(reqId, buffer, start, end) for each line of a file from an offset; the
 * reqId is -1 for a line that has none.
 */
function eachLine (file, from, fn) {
  if (file.endsWith('.gz')) return lines(zlib.gunzipSync(fs.readFileSync(file)), fn)
  const fd = fs.openSync(file, 'r')
  try {
    const buffer = Buffer.allocUnsafe(CHUNK)
    let kept = 0
    for (let at = from, n; (n = fs.readSync(fd, buffer, kept, CHUNK - kept, at)) > 0; at += n) {
      const end = kept + n
      const used = lines(buffer.subarray(0, end), fn)
      buffer.copyWithin(0, used, end)
      kept = end - used
      if (kept === CHUNK) throw new Error('a line is longer than any that was written')
    }
    if (kept > 0) fn(-1, buffer, 0, kept)
  } finally {
    fs.closeSync(fd)
  }
}

function lines (bytes, fn) {
  let start = 0
  for (let end; (end = bytes.indexOf(NEWLINE, start)) >= 0; start = end + 1) {
    fn(idOf(bytes, start, end), bytes, start, end)
  }
  return start
}

// The number behind "reqId":, which is near the beginning of every line.
function idOf (bytes, start, end) {
  let at = bytes.indexOf(MARK, start)
  if (at < 0 || at >= end) return -1
  let id = 0
  for (at += MARK.length; at < end && bytes[at] >= 48 && bytes[at] <= 57; at++) id = id * 10 + bytes[at] - 48
  return id
}

/**
 * What became of lines: those of each range that are missing or there more than
 * once, and lines that are none. Lines without a reqId are the logger's own.
 *
 * @param {object[]} parts { file, from } where to read
 * @param {object[]} ranges { from, count }
 */
function examine (parts, ranges) {
  const seen = ranges.map(({ count }) => new Uint8Array(count))
  const found = { lost: 0, twice: 0, torn: 0 }
  for (const { file, from } of parts) {
    eachLine(file, from, (id, bytes, start, end) => {
      if (bytes[start] !== OPEN || bytes[end - 1] !== CLOSE) {
        found.torn++
      } else if (id >= 0) {
        const i = id - FIRST
        const r = ranges.findIndex(range => i >= range.from && i < range.from + range.count)
        if (r < 0) found.torn++
        else if (seen[r][i - ranges[r].from]++) found.twice++
      }
    })
  }
  for (const marks of seen) for (const mark of marks) if (mark === 0) found.lost++
  return found
}

/** Throws unless every line of the ranges is there, once and whole. */
function verify (parts, ranges) {
  const { lost, twice, torn } = examine(parts, ranges)
  if (lost || twice || torn) {
    throw new Error(`of the lines in the file ${lost} are missing, ${twice} are there twice and ${torn} are torn or foreign`)
  }
}

module.exports = { MESSAGE, FIRST, fields, essence, bytesOf, arrived, sync, eachLine, examine, verify }
