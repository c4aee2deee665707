'use strict'

// Notifications of the server (NOTIFY), as they come. What comes while the caller is busy is kept by the core, up to a
// limit, and given next. A connection that is lost, or a core that is another one now, is said by `missed`.

const { ops } = require('../wire/ops')
const { expected } = require('../base/errors')
const { Standing } = require('./standing')

const CHANNEL_BYTES = 63

class Listen extends Standing {
  constructor (client, channel, opts) {
    super(client, {
      name: 'listen',
      op: ops.LISTEN,
      argument: () => readChannel(channel),
      read: ([since, missed, payloads]) => ({
        since,
        values: [
          ...missed ? [{ channel, payload: null, missed }] : [],
          ...payloads.map((payload) => ({ channel, payload, missed: false }))
        ]
      }),
      // What comes next comes while these are worked on.
      ahead: true
    }, opts)
  }

  /** Resolves when the server has been told: what is notified from then on comes. */
  get ready () {
    return this.begun
  }
}

function readChannel (channel) {
  if (typeof channel === 'string' && channel !== '' && channel.isWellFormed() && !channel.includes('\0') &&
    Buffer.byteLength(channel) <= CHANNEL_BYTES) return channel
  throw expected('UC_OPTION', 'listen', `the name of a channel, 1 to ${CHANNEL_BYTES} bytes`, channel)
}

module.exports = { Listen }
