'use strict'

// Every vector through every door.

const t = require('tap')
const { doors } = require('./doors')
const { vectors } = require('./vectors')
const { vectorService } = require('./service')

// Of the connection, and not of the answer.
const OF_CONNECTION = ['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'x-request-id', 'content-type']

function prepared ({ method, target, headers, body }) {
  const isObject = typeof body === 'object'
  return {
    method,
    target,
    headers: isObject ? { 'Content-Type': 'application/json', ...headers } : headers,
    body: isObject ? JSON.stringify(body) : body
  }
}

// Clients make a character of each byte of a header.
function utf8 (text) {
  return /^[\0-\xff]*$/.test(text) ? Buffer.from(text, 'latin1').toString() : text
}

// What is compared, in the form of a vector.
function seen ({ status, headers, body }) {
  const answer = Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_CONNECTION.includes(name))
    .map(([name, value]) => [name, utf8([value].flat().join(', '))]).sort())
  return { status, type: headers['content-type'] ?? '', answer, text: body }
}

function wanted ({ status, type, answer, text }, door) {
  let body = typeof text === 'string' ? text : JSON.stringify(text)
  // Such a peer has no address.
  if (door.isUnix) body = body.replace('"ip":"127.0.0.1"', '"ip":null')
  return { status, type, answer: Object.fromEntries(Object.entries(answer).sort()), text: body }
}

for (const door of doors) {
  t.test(door.name, async (t) => {
    const { routes } = vectorService(t)
    await routes.ready
    const open = await door.start(routes, t)
    t.teardown(() => open.close())
    for (const vector of vectors) {
      const out = Object.keys(vector.without ?? {}).find((name) => door.name.startsWith(name))
      if (out !== undefined) {
        t.comment(`left out: ${vector.name}: ${vector.without[out]}`)
        continue
      }
      const got = await open.request(prepared(vector))
      t.strictSame(seen(got), wanted(vector, door), vector.name)
      const length = got.headers['content-length']
      if (length !== undefined && vector.method !== 'HEAD' && vector.status !== 304) t.equal(Number(length), Buffer.byteLength(got.body), `${vector.name}: length`)
      t.match(got.headers['x-request-id'], vector.headers['X-Request-Id'] ?? /^[\x21-\x7e]{1,128}$/, `${vector.name}: id`)
    }
  })
}
