'use strict'
// A passphrase, asked for on the terminal without showing it.

const { DeployError } = require('../errors')

const MAX = 1024

/**
 * question -> Promise of what was typed. Rejects with UC_DEPLOY_AUTH where there
 * is no terminal, and with UC_DEPLOY_CANCELLED on Ctrl-C.
 */
function askHidden (question, { input = process.stdin, output = process.stderr } = {}) {
  if (!input.isTTY || !output.isTTY) {
    return Promise.reject(new DeployError('UC_DEPLOY_AUTH', `there is no terminal to ask on: ${question}`, {
      hint: 'load the key into ssh-agent (ssh-add), or give its passphrase in the environment as UNDERCROFT_KEY_PASSPHRASE'
    }))
  }
  return new Promise((resolve, reject) => {
    let typed = ''
    const over = (settle, value) => {
      input.off('data', onData)
      input.setRawMode(false)
      input.pause()
      output.write('\n')
      settle(value)
    }
    const onData = text => {
      for (const c of text) {
        if (c === '\r' || c === '\n' || c === '\u0004') return over(resolve, typed)
        if (c === '\u0003') return over(reject, new DeployError('UC_DEPLOY_CANCELLED', 'cancelled while a passphrase was asked for'))
        if (c === '\u007f' || c === '\b') typed = typed.slice(0, -1)
        else if (c === '\u0015') typed = ''
        else if (c >= ' ' && typed.length < MAX) typed += c
      }
    }
    // Not shown from the first key on: nobody waits for the terminal to be ready.
    input.setRawMode(true)
    input.setEncoding('utf8')
    input.on('data', onData)
    input.resume()
    output.write(question)
  })
}

module.exports = { askHidden }
