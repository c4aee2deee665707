'use strict'
// deploy/frames.js: what is cut out of a stream is what was put in, however the
// stream is cut, and a stream of something else is refused before it costs memory.

const t = require('tap')
const { encode, FrameReader, MAX_JSON, MAX_PAYLOAD } = require('../../deploy/frames')

function head (json, payload, text = '') {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(json, 0)
  bytes.writeUInt32BE(payload, 4)
  return Buffer.concat([bytes, Buffer.from(text)])
}

const messages = [
  { json: { id: 1, op: 'a', args: { text: 'é日😀', list: [1, null, true] } } },
  { json: {}, payload: Buffer.from([0]) },
  { json: { beat: true } },
  { json: { id: 2 }, payload: Buffer.alloc(100_000, 7) },
  { json: { id: 3, text: 'x'.repeat(70_000) }, payload: Buffer.alloc(MAX_PAYLOAD, 1) }
]
const stream = Buffer.concat(messages.flatMap(({ json, payload }) => encode(json, payload)))

function check (t, frames, what) {
  t.equal(frames.length, messages.length, what)
  t.ok(frames.every(({ json, payload }, i) =>
    JSON.stringify(json) === JSON.stringify(messages[i].json) && payload.equals(messages[i].payload ?? Buffer.alloc(0))), what)
}

t.test('frames survive every way of cutting the stream', async t => {
  for (const size of [1, 2, 7, 8, 9, 1000, 65536, stream.length]) {
    const reader = new FrameReader()
    const frames = []
    // Byte by byte only through the small ones: the rest is the same loop.
    const end = size === 1 ? 20_000 : stream.length
    for (let at = 0; at < end; at += size) frames.push(...reader.push(stream.subarray(at, Math.min(at + size, end))))
    if (end < stream.length) frames.push(...reader.push(stream.subarray(end)))
    check(t, frames, `in pieces of ${size}`)
    t.equal(reader.pending, 0)
  }
})

t.test('frames survive cuts at random', async t => {
  let seed = 3
  const next = below => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor(seed / 2 ** 32 * below)
  }
  for (let round = 0; round < 50; round++) {
    const reader = new FrameReader()
    const frames = []
    for (let at = 0; at < stream.length;) {
      const size = 1 + next(round % 2 ? 100 : 300_000)
      // A copy that is changed afterwards, as a socket's buffer may be.
      frames.push(...reader.push(Buffer.from(stream.subarray(at, at + size))))
      at += size
      if (round % 2 && at > 40_000) {
        frames.push(...reader.push(stream.subarray(at)))
        break
      }
    }
    check(t, frames, `round ${round}`)
  }
})

t.test('half a frame is told', async t => {
  const reader = new FrameReader()
  t.same(reader.push(stream.subarray(0, 20)), [])
  t.equal(reader.pending, 20)
  t.same(reader.push(Buffer.alloc(0)), [])
})

t.test('something else is refused, at its first eight bytes', async t => {
  const refused = (bytes, text) => t.throws(() => new FrameReader().push(bytes), { code: 'UC_DEPLOY_PROTOCOL', message: text })
  refused(Buffer.from('Welcome to host1\n'), /no frame: "Welcome /)
  refused(head(MAX_JSON + 1, 0), /no frame/)
  refused(head(2, MAX_PAYLOAD + 1, '{}'), /no frame/)
  refused(head(0xffffffff, 0xffffffff), /no frame/)
  refused(head(0, 0), /no frame/)
  refused(head(4, 0, 'nope'), /not JSON/)
  for (const json of ['null', '[1]', '"a"', '17']) refused(head(json.length, 0, json), /not a JSON object|no frame/)
})

t.test('what is too large is not sent', async t => {
  t.throws(() => encode({}, Buffer.alloc(MAX_PAYLOAD + 1)), { code: 'UC_DEPLOY_PROTOCOL' })
  t.throws(() => encode({ text: 'x'.repeat(MAX_JSON) }), { code: 'UC_DEPLOY_PROTOCOL' })
})
