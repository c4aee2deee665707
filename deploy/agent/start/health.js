'use strict'

// One question to a service, over its port or its unix socket: HTTP/1.1 (RFC 9112) by hand, as the
// runtimes do not agree on how to ask a unix socket.

const net = require('node:net')
const { pause } = require('../host/wait')

const ASK_MS = 5000 // for one answer
const HEAD_BYTES = 16 * 1024

/**
 * @param {object} where { port } or { socket }
 * @param {string} path
 * @param {number} [ms] for connecting and the head of the answer
 * @returns {Promise<{ status: number|null, reason: string|null }>} never rejects; `reason` says why there is no status
 */
function ask (where, path, ms = ASK_MS) {
  return new Promise((resolve) => {
    const socket = net.connect(where.socket !== undefined ? { path: where.socket } : { host: '127.0.0.1', port: where.port })
    let head = ''
    const end = (status, reason = null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ status, reason })
    }
    const timer = setTimeout(() => end(null, `no answer within ${ms} ms`), ms)
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: undercroft-deploy\r\nAccept: */*\r\nConnection: close\r\n\r\n`))
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      head += text
      const match = /^HTTP\/1\.[01] (\d{3})[ \r]/.exec(head)
      // The whole head: a service that dies while it answers is not healthy.
      if (match !== null && head.includes('\r\n\r\n')) end(Number(match[1]))
      else if (head.length > HEAD_BYTES || (match === null && head.includes('\n'))) end(null, 'the answer is not HTTP/1.1')
    })
    socket.on('error', (err) => end(null, err.code ?? err.message))
    socket.on('close', () => end(null, 'the connection was closed before an answer'))
  })
}

/** Why the service is not healthy at any of these places; null when it is. */
async function illness (places, { path, status }, ms) {
  for (const place of places) {
    const answer = await ask(place, path, ms)
    const at = place.socket !== undefined ? `the socket ${place.socket}` : `port ${place.port}`
    if (answer.status === null) return `${path} on ${at}: ${answer.reason}`
    if (answer.status !== status) return `${path} on ${at}: status ${answer.status}, expected ${status}`
  }
  return null
}

/**
 * Asks until it has been healthy `successes` times in a row.
 * @param {object[]} places where it is asked, each time all of them
 * @param {object} health { path, status, timeoutMs, everyMs, successes }
 * @param {Function} check called before each question; ends the waiting by throwing
 * @returns {Promise<string|null>} what was wrong when the time was over; null: it is healthy
 */
async function healthy (places, health, check) {
  const deadline = Date.now() + health.timeoutMs
  let good = 0
  let reason = null
  for (;;) {
    await check()
    const left = deadline - Date.now()
    if (left <= 0) return reason
    const found = await illness(places, health, Math.min(ASK_MS, left))
    good = found === null ? good + 1 : 0
    // The last question may have had no time for an answer: then what was wrong before says more.
    if (found !== null && (left >= ASK_MS || reason === null || Date.now() < deadline)) reason = found
    await check()
    if (good >= health.successes) return null
    await pause(Math.min(health.everyMs, Math.max(1, deadline - Date.now())))
  }
}

module.exports = { ask, healthy, illness }
