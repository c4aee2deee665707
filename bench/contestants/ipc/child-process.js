'use strict'

// The channel of a forked process, with both of its serializations.

const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')

const SERVER = path.join(__dirname, '../../servers/child.js')

const opener = serialization => async () => {
  const child = fork(SERVER, [], { serialization })
  const waiting = new Map()
  let id = 0
  child.on('message', message => {
    const resolve = waiting.get(message.id)
    waiting.delete(message.id)
    resolve(message.body)
  })
  return {
    serverPid: child.pid,
    // JSON has no bytes.
    text: serialization === 'json',
    call (body) {
      const mine = ++id
      child.send({ id: mine, body })
      return new Promise(resolve => { waiting.set(mine, resolve) })
    },
    async close () {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
    }
  }
}

function contestant (name, serialization) {
  return {
    name,
    family: 'echo',
    missing: () => null,
    about: () => `serialization '${serialization}'`,
    open: opener(serialization),
    version: () => process.versions.bun || process.versions.node
  }
}

module.exports = [
  contestant('child process', 'json'),
  contestant('child process, advanced', 'advanced')
]
