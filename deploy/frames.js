'use strict'
// The framing between a deployer and its agent, the same in both directions:
// u32 BE length of the JSON, u32 BE length of the payload, JSON (UTF-8), payload.

const { DeployError } = require('./errors')

const MAX_JSON = 16 * 1024 * 1024
const MAX_PAYLOAD = 1024 * 1024
const HEAD = 8
// Payload of one call that may be on its way or waiting for its op. The agent
// gives room for more as the op takes it (`room`), and never stops reading: what
// else is said, that the deployer cancels or is gone, must not wait behind it.
const WINDOW = 4 * 1024 * 1024

/** A frame as the buffers to be written one after the other. */
function encode (json, payload) {
  const text = Buffer.from(JSON.stringify(json))
  const size = payload ? payload.length : 0
  if (text.length > MAX_JSON || size > MAX_PAYLOAD) {
    throw new DeployError('UC_DEPLOY_PROTOCOL', `a message of ${text.length} bytes with ${size} bytes of payload is larger than a frame (${MAX_JSON} and ${MAX_PAYLOAD})`)
  }
  const head = Buffer.allocUnsafe(HEAD + text.length)
  head.writeUInt32BE(text.length, 0)
  head.writeUInt32BE(size, 4)
  text.copy(head, HEAD)
  return size ? [head, payload] : [head]
}

/**
 * Cuts a stream of bytes into frames. push(bytes) returns the frames that are
 * whole now, [{ json, payload }]; the payload may share memory with the bytes.
 * A stream that is no stream of frames throws UC_DEPLOY_PROTOCOL before
 * anything of the claimed size is allocated; the reader is then of no more use.
 */
class FrameReader {
  #chunks = []
  #size = 0
  #head = null

  push (bytes) {
    if (bytes.length) {
      this.#chunks.push(bytes)
      this.#size += bytes.length
    }
    const frames = []
    for (;;) {
      this.#head ??= this.#size >= HEAD ? readHead(this.#take(HEAD)) : null
      if (!this.#head || this.#size < this.#head.json + this.#head.payload) return frames
      const json = parse(this.#take(this.#head.json))
      frames.push({ json, payload: this.#take(this.#head.payload) })
      this.#head = null
    }
  }

  /** Bytes of a frame that has begun and is not whole. */
  get pending () {
    return this.#size + (this.#head ? HEAD : 0)
  }

  #take (size) {
    this.#size -= size
    const [first] = this.#chunks
    if (size === 0) return Buffer.alloc(0)
    if (first.length > size) {
      this.#chunks[0] = first.subarray(size)
      return first.subarray(0, size)
    }
    let left = size
    let count = 0
    while (this.#chunks[count].length < left) left -= this.#chunks[count++].length
    const last = this.#chunks[count]
    const parts = this.#chunks.splice(0, count + 1)
    parts[count] = last.subarray(0, left)
    if (left < last.length) this.#chunks.unshift(last.subarray(left))
    return parts.length === 1 ? parts[0] : Buffer.concat(parts, size)
  }
}

function readHead (bytes) {
  const head = { json: bytes.readUInt32BE(0), payload: bytes.readUInt32BE(4) }
  if (head.json < 2 || head.json > MAX_JSON || head.payload > MAX_PAYLOAD) {
    throw new DeployError('UC_DEPLOY_PROTOCOL', `the other side sent something that is no frame: ${JSON.stringify(bytes.toString('latin1'))}`)
  }
  return head
}

function parse (bytes) {
  let json
  try {
    json = JSON.parse(bytes.toString())
  } catch (err) {
    throw new DeployError('UC_DEPLOY_PROTOCOL', 'the other side sent a frame that is not JSON', { cause: err })
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new DeployError('UC_DEPLOY_PROTOCOL', 'the other side sent a frame that is not a JSON object')
  }
  return json
}

module.exports = { encode, FrameReader, MAX_JSON, MAX_PAYLOAD, WINDOW }
