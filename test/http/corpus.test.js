'use strict'
// The daemon's HTTP, byte by byte: what it has to accept is answered, what it has to refuse is
// refused, and nothing behind that is answered at all.

const fs = require('node:fs')
const t = require('tap')
const corpus = require('./corpus')
const { fileTimeoutMs } = require('../helper')
const { project, serve, raw, statuses } = require('./server')
const { program, startGateway } = require('./gateway')

t.setTimeout(fileTimeoutMs)

t.test('requests that are fine and that are not', async t => {
  const { to } = await serve(t, { dir: await project(t) })
  const wrong = []
  for (const { name, requests, status, bytes } of corpus) {
    const got = statuses(await raw(to, bytes))
    // None of them asks for a route that is there.
    const wanted = [...Array(requests).fill(404), ...(status === 0 ? [] : [status])]
    if (String(got) !== String(wanted)) wrong.push(`${name}: ${got}`)
  }
  t.same(wrong, [])
  t.ok(corpus.length >= 150, 'they are not a few')
})

// What nginx makes of a request is its affair. But of one that it sends on, which the door may see
// otherwise, no answer may be given twice, or to the one who asks next on the same connection.
t.test('behind nginx', async t => {
  if (program === null) return t.comment('left out: there is no nginx here')
  const { to } = await serve(t, { dir: await project(t) })
  const nginx = await startGateway(t, to.socketPath)
  const wrong = []
  let n = 0
  for (const { name, requests, status, bytes } of corpus) {
    const more = statuses(await raw(nginx.to, bytes))
    if (more.length > requests + (status === 0 ? 0 : 1)) wrong.push(`${name}: ${more}`)
    const text = `next-${++n}`
    const next = await raw(nginx.to, `GET /echo?text=${text} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    if (statuses(next).join() !== '200' || !next.endsWith(`\r\n\r\n${text}`)) wrong.push(`behind ${name}: ${next}`)
  }
  t.same(wrong, [])
  // The gateway warns of what the door sends beyond the one answer that it waits for.
  t.same(fs.readFileSync(nginx.log, 'utf8').split('\n').filter((line) => /upstream sent more data|upstream sent data after/.test(line)), [], 'no answer is given twice')
})
