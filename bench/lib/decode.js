'use strict'

// Why the core reads requests itself: beside msgpack-c, in nanoseconds a request.

const { execFileSync } = require('node:child_process')
const { buildDecode } = require('../c/build')
const { summary } = require('./stats')

/** { own: ns[], 'msgpack-c': ns[] }, a figure a round. */
function measureDecode ({ rounds, ms }) {
  const out = execFileSync(buildDecode(), [String(rounds), String(ms)], { encoding: 'utf8' })
  const { sum, ...measured } = JSON.parse(out)
  return measured
}

/** The sentence that tells it. */
function decodeLine (measured) {
  const [own, other] = [measured.own, measured['msgpack-c']].map(summary)
  const text = ({ median, min, max }) =>
    `${median.toFixed(1)} ns (${min.toFixed(1)} to ${max.toFixed(1)})`
  return `Reading a request of a point read: ${text(own)} by the core's own reader, ` +
    `${text(other)} by msgpack-c with a zone that is used again: ` +
    `${(other.median / own.median).toFixed(1)} times faster.`
}

module.exports = { measureDecode, decodeLine }
