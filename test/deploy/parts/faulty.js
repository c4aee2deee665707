'use strict'
// An SSH server (ssh2's) that lets everybody in and then does as it is told:
//   { refuseAuth, onReady(client), refuseSession, refuseExec, ignoreExec, onExec(channel, client) }

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Server } = require('ssh2')
const { makeKey } = require('./sshd')

/** -> a host object as those of startHosts; ended by t.teardown. */
async function faulty (t, behaviour) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  const key = makeKey(path.join(dir, 'host'))
  const clients = new Set()
  const server = new Server({ hostKeys: [fs.readFileSync(key)] }, client => {
    clients.add(client)
    client.on('error', () => {})
    client.on('authentication', ctx => behaviour.refuseAuth ? ctx.reject() : ctx.accept())
    client.on('ready', () => {
      behaviour.onReady?.(client)
      client.on('session', (accept, reject) => {
        if (behaviour.refuseSession) return reject()
        accept().on('exec', (accept, reject) => {
          if (behaviour.refuseExec) return reject()
          if (behaviour.ignoreExec) return
          const channel = accept()
          channel.on('error', () => {})
          channel.resume()
          behaviour.onExec?.(channel, client)
        })
      })
    })
  })
  t.teardown(() => new Promise(resolve => {
    for (const client of clients) client.end()
    server.close(resolve)
    fs.rmSync(dir, { recursive: true })
  }))
  const { port } = await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address())))
  const publicKey = fs.readFileSync(`${key}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
  fs.writeFileSync(path.join(dir, 'known_hosts'), `[127.0.0.1]:${port} ${publicKey}\n`)
  return { name: 'faulty', host: '127.0.0.1', port, user: 'x', key, agent: false, knownHosts: path.join(dir, 'known_hosts'), connectTimeoutMs: 20_000, folder: path.join(dir, 'app') }
}

module.exports = { faulty }
