'use strict'

// The body of a POST, with a limit. What is beyond it is not kept; who still sends it is let to, for
// a while: an answer to somebody who is cut off while sending is lost.

const { Refusal } = require('./answers')

const NOTHING = Buffer.alloc(0)

function tooLarge (most) {
  return new Refusal('BODY_SIZE', `body: must have at most ${most} bytes`)
}

function cutShort () {
  return new Refusal('PARAMS', 'body: is cut short')
}

/** Whether the header content-length alone says that it is too much. */
function isTooLong (length, most) {
  return length !== undefined && Number(length) > most
}

/**
 * Of a message of node:http.
 *
 * @param {import('node:http').IncomingMessage} req
 * @param {number} most bytes
 * @returns {Promise<Uint8Array>}
 */
function readMessage (req, most) {
  if (isTooLong(req.headers['content-length'], most)) return Promise.reject(tooLarge(most))
  if (req.destroyed) return Promise.reject(cutShort())
  return new Promise((resolve, reject) => {
    let first = NOTHING
    let chunks = null
    let bytes = 0
    const over = () => {
      req.off('data', onData)
      req.off('end', onEnd)
      req.off('error', onError)
      req.off('close', onError)
    }
    const onData = (chunk) => {
      bytes += chunk.length
      if (bytes > most) {
        over()
        return reject(tooLarge(most))
      }
      if (bytes === chunk.length) first = chunk
      else if (chunks === null) chunks = [first, chunk]
      else chunks.push(chunk)
    }
    const onEnd = () => {
      over()
      resolve(chunks === null ? first : Buffer.concat(chunks, bytes))
    }
    const onError = () => {
      over()
      reject(cutShort())
    }
    req.on('data', onData)
    req.on('end', onEnd)
    req.on('error', onError)
    req.on('close', onError)
  })
}

/** What a parser of the application has made of a body that is read already. */
function parsedBody (body, most) {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  if (bytes.length > most) throw tooLarge(most)
  return bytes
}

/**
 * Of a Request.
 *
 * @param {Request} request
 * @param {number} most bytes
 * @returns {Promise<Uint8Array>}
 */
async function readRequest (request, most) {
  const length = request.headers.get('content-length') ?? undefined
  if (isTooLong(length, most)) throw tooLarge(most)
  // The server sees to it that it is as long as it says.
  if (length !== undefined) return Buffer.from(await request.arrayBuffer())
  return request.body === null ? NOTHING : readStream(request.body, most)
}

async function readStream (stream, most) {
  const chunks = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes > most) throw tooLarge(most)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes)
}

module.exports = { NOTHING, readMessage, parsedBody, readRequest }
