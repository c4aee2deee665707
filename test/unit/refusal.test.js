'use strict'

// Whether somebody listens on a socket, by the kernel's list.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const t = require('tap')
const { isListenedOn, refusal } = require('../../lib/base/socket-refusal')
const { exact, tmpdir, until } = require('../helper')

t.test('a socket on which somebody listens, by each of its names', async (t) => {
  const dir = tmpdir(t)
  const socket = path.join(dir, 'a socket')
  fs.symlinkSync(dir, path.join(dir, 'link'))
  const server = net.createServer().listen(socket)
  t.teardown(() => server.close())
  await once(server, 'listening')
  const names = [socket, path.join(dir, 'link', 'a socket'), path.relative(process.cwd(), socket)]
  exact(t, names.map(isListenedOn), [true, true, true])
  exact(t, [path.join(dir, 'socket'), `${socket}2`, path.join(dir, 'none', 'a socket')].map(isListenedOn), [false, false, false])
  exact(t, refusal('ECONNREFUSED', socket), process.versions.bun ? 'EAGAIN' : 'ECONNREFUSED')
  exact(t, ['ENOENT', 'EACCES', undefined].map((code) => refusal(code, socket)), ['ENOENT', 'EACCES', undefined], 'other codes stay')
  server.close()
  await once(server, 'close')
  exact(t, isListenedOn(socket), false, 'it has ended')
})

t.test('a socket that was left behind, and one that is only connected', async (t) => {
  const dir = tmpdir(t)
  const [old, now] = ['old', 'now'].map((name) => path.join(dir, name))
  const server = net.createServer().listen(old)
  await once(server, 'listening')
  fs.linkSync(old, now)
  const peer = net.connect(old)
  t.teardown(() => peer.destroy())
  const [held] = await once(server, 'connection')
  t.teardown(() => held.destroy())
  server.close()
  await until(() => !isListenedOn(old), 'nobody listens')
  t.ok(fs.existsSync(now), 'the file is there')
  exact(t, [old, now].map((name) => refusal('ECONNREFUSED', name)), ['ECONNREFUSED', 'ECONNREFUSED'])
})
