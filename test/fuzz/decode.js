'use strict'

// Fuzzes what reads replies in JavaScript: the SP receiver and the frame decoder.
// Whatever comes, they return or throw UC_FRAME (or, for a number that cannot be
// kept, UC_VALUE_RANGE), at once and without taking memory for what is claimed.
//
//   node test/fuzz/decode.js [runs] [seed] [trace]     for TEST_BUDGET, a seed of the clock
//
// A failure prints its seed and run, and the bytes; the same arguments repeat it,
// with `trace` (slower) and the stack.

const { budget } = require('../budget')
const { MessageReceiver, HELLO_OF_DAEMON } = require('../../lib/transport/sp')
const decode = require('../../lib/wire/decode')
const { OBJECTS, ARRAYS, NO_SHAPE, Shape, columnsOf } = require('../../lib/wire/shape')
const { kinds } = require('../../lib/wire/ops')
const { reply, u32 } = require('../unit/fake-core')

const runs = Number(process.argv[2] ?? Infinity)
const forMs = runs === Infinity ? budget.seconds * 1000 : Infinity
const seed = Number(process.argv[3] ?? Date.now() % 0x7fffffff)
// Most runs end in an error, and most of an error's cost is its stack.
if (process.argv[4] !== 'trace') Error.stackTraceLimit = 0

// A run that takes longer, or that leaves more memory behind, is a failure.
const SLOW_MS = 1000
const MEMORY_BYTES = 256 * 1024 * 1024

let state = seed >>> 0 || 1
// xorshift32: a whole number from 0 to n - 1.
function random (n) {
  state ^= state << 13
  state >>>= 0
  state ^= state >>> 17
  state ^= state << 5
  state >>>= 0
  return state % n
}

const pick = (list) => list[random(list.length)]

// ---- what is sound to begin with -----------------------------------------------------

const ID = 0x00100000
const known = new Shape(7, columnsOf(['id', 'name']))

const seeds = [
  reply.value(ID, null),
  reply.value(ID, { ok: true, list: [1, -5, 1.5, 'text', [], {}, null, 2n ** 60n], deep: [[[[[1]]]]] }),
  reply.error(ID, { code: 'SQLITE_CONSTRAINT_UNIQUE', kind: 'unique', message: 'UNIQUE failed', native: 2067, offset: 3 }),
  reply.rows(ID, { shape: 7, columns: ['id', 'name'], pages: [[[1, 'abc'], [2, 'é'.repeat(40)], [3, null]]] }),
  reply.rows(ID, { shape: 7, columns: null, pages: [[[1, 'abc']]] }),
  reply.rows(ID, { shape: 7, columns: null, cursor: 12, pages: [[[1.5, Buffer.from('blob')], [2n ** 40n, 'x'.repeat(300)]], [[-1, '']]] }),
  reply.rows(ID, { shape: 9, columns: ['a', 'a', '__proto__'], pages: [[[1, 2, 3]]] }),
  reply.rows(ID, { shape: 9, columns: [], pages: [] }),
  reply.run(ID, 3, 2n ** 55n),
  reply.bytes(ID, Buffer.from('[{"a":1}]')),
  reply.multi(ID, [reply.run(0, 1, 9), reply.rows(0, { shape: 4, columns: ['a'], pages: [[['é'], ['y']]] })])
]

const tags = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x94, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xc4, 0xc5, 0xc6, 0xc7, 0xca, 0xcb,
  0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd3, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff]
const lengths = [0, 1, 2, 0x7f, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]

// Some changes of the kinds that lengths and types are sensitive to.
function mutate (bytes) {
  let out = Buffer.from(bytes)
  for (let n = random(4); n >= 0; n--) {
    if (out.length === 0) return out
    const at = random(out.length)
    switch (random(7)) {
      case 0: out[at] = random(256); break
      case 1: out[at] = pick(tags); break
      case 2: out[at] ^= 1 << random(8); break
      case 3: if (at + 4 <= out.length) out.writeUInt32BE(pick(lengths), at); break
      case 4: out = out.subarray(0, at); break
      case 5: out = Buffer.concat([out.subarray(0, at), Buffer.from([pick(tags), ...u32(pick(lengths))]), out.subarray(at)]); break
      case 6: {
        const other = pick(seeds)
        out = Buffer.concat([out.subarray(0, at), other.subarray(random(other.length))])
      }
    }
  }
  return out
}

function wrap (frame) {
  return Buffer.concat([Buffer.from([1, 0, 0, 0, 0, ...u32(frame.length + 4), ...u32(ID + 0x80000000)]), frame])
}

// ---- one run -------------------------------------------------------------------------

function isAllowed (err) {
  const known = decode.frameError(err)
  return known.code === 'UC_FRAME' || known.code === 'UC_VALUE_RANGE'
}

function attempt (work) {
  try {
    work()
  } catch (err) {
    if (!isAllowed(err)) throw err
  }
}

// A frame at b[from..end), as the client reads it, in every way that it could be asked for.
function readFrame (b, view, from, end) {
  decode.forgetText()
  const ints = random(4)
  const sent = random(2) ? known : NO_SHAPE
  const kind = b[from + decode.KIND]
  if (end - from < decode.BODY) return
  if (kind !== kinds.ROWS) {
    attempt(() => kind === kinds.ERROR
      ? decode.valueAt(b, view, from + decode.BODY, end)
      : decode.simple(b, view, from, end, kind, ints))
    return
  }
  attempt(() => decode.row(b, view, from, end, end, sent, ints))
  attempt(() => {
    decode.rowsHeader(b, view, from, end, sent)
    decode.allRows(b, view, end, random(2) ? OBJECTS : ARRAYS, ints)
  })
}

function frames () {
  const bytes = mutate(pick(seeds))
  // Among other bytes: what lies beyond the frame is not its own.
  const front = random(20)
  const b = Buffer.alloc(front + bytes.length + random(20), 0xc6)
  bytes.copy(b, front)
  const view = new DataView(b.buffer, b.byteOffset, b.length)
  readFrame(b, view, front, front + bytes.length)
  return bytes
}

// A receiver that is used for many runs, as long as it has not met an error.
let receiver = null

function stream () {
  if (receiver === null) {
    receiver = new MessageReceiver()
    receiver.add(HELLO_OF_DAEMON, () => {})
  }
  let bytes = Buffer.concat(Array.from({ length: 1 + random(4) }, () => wrap(random(3) ? pick(seeds) : mutate(pick(seeds)))))
  if (random(3) === 0) bytes = mutate(bytes)
  try {
    for (let at = 0; at < bytes.length;) {
      const n = 1 + random(random(2) ? 8 : bytes.length)
      let messages = 0
      receiver.add(bytes.subarray(at, at + n), () => messages++)
      at += n
      // Not every time: what is lent may stay so for a while.
      if (random(3) === 0) continue
      const length = receiver.take()
      let p = receiver.at
      const stop = p + length
      while (p < stop) {
        const end = p + 9 + receiver.view.getUint32(p + 5)
        if (end > stop) throw new Error('half a message was given out')
        readFrame(receiver.buf, receiver.view, p + 13, end)
        p = end
      }
    }
  } catch (err) {
    receiver = null
    if (!isAllowed(err)) throw err
  }
  // A length that was believed waits for its bytes: nothing new would be learned.
  if (random(64) === 0) receiver = null
  return bytes
}

function main () {
  const began = performance.now()
  const before = process.memoryUsage().arrayBuffers
  let last = began
  let run = 0
  for (; run < runs; run++) {
    let bytes = null
    const from = state
    try {
      bytes = random(10) < 7 ? frames() : stream()
      if (run % 1000 === 0) {
        const now = performance.now()
        if (now - last > SLOW_MS * 10) throw new Error(`${Math.round(now - last)} ms for a thousand runs`)
        last = now
        if (now - began > forMs) break
        const more = process.memoryUsage().arrayBuffers - before
        if (more > MEMORY_BYTES) throw new Error(`${more} bytes of buffers`)
      }
    } catch (err) {
      console.error(`run ${run} of seed ${seed} (state ${from}): ${err.stack}\n${bytes?.toString('hex') ?? ''}`)
      process.exitCode = 1
      return
    }
  }
  console.log(`${run} runs of seed ${seed} in ${((performance.now() - began) / 1000).toFixed(1)} s: nothing but UC_FRAME`)
}

main()
