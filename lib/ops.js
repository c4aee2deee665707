'use strict'

// Operation numbers of the wire, for ever. The core's table (csrc/core/op.h)
// is the original; a contract test compares the two through `describe`.

const ops = Object.freeze({
  PING: 1,
  DESCRIBE: 2,
  STATS: 3,
  HEALTH: 4,
  CANCEL: 5,
  CLOSE: 6,
  HELLO: 7,
  DEFINE: 8,
  UNDEFINE: 9,
  GET: 10,
  ALL: 11,
  RUN: 12,
  JSON: 13,
  MANY: 14,
  BATCH: 15,
  EXEC: 16,
  CURSOR_OPEN: 20,
  CURSOR_NEXT: 21,
  CURSOR_CLOSE: 22,
  TX_BEGIN: 30,
  TX_END: 31,
  SAVEPOINT: 32,
  SNAP_BEGIN: 35,
  SNAP_END: 36,
  BACKUP_BEGIN: 40,
  BACKUP_STEP: 41,
  BACKUP_END: 42,
  RESTORE: 43,
  MIGRATE_APPLY: 44,
  CHECKPOINT: 45,
  WATCH: 50,
  DOOR: 52,
  CACHE_GET: 60,
  CACHE_READ: 61,
  CACHE_SET: 62,
  CACHE_DELETE: 63,
  CACHE_GET_MANY: 64,
  CACHE_SET_MANY: 65,
  CACHE_TOUCH: 66,
  CACHE_TTL: 67,
  CACHE_INCR: 68,
  CACHE_LOAD: 69,
  CACHE_LOADED: 70,
  CACHE_DROP: 71,
  CACHE_CLEAR: 72,
  CACHE_STATS: 73,
  CACHE_HOLD: 74,
  CACHE_CAS: 75,
  LOG_OPEN: 80,
  LOG_PUT: 81,
  LOG_LEVEL: 82,
  LOG_WATCH: 83,
  LOG_FLUSH: 84,
  LOG_STATS: 85
})

// Number -> the name the core uses (lower case).
const names = []
for (const [name, number] of Object.entries(ops)) names[number] = name.toLowerCase()

// Operations that never wait for the writer: a batch of only these is not
// announced as a write.
const reads = new Set([ops.PING, ops.DESCRIBE, ops.STATS, ops.HEALTH,
  ops.CANCEL, ops.DEFINE, ops.UNDEFINE, ops.GET, ops.ALL, ops.JSON,
  ops.CURSOR_OPEN, ops.CURSOR_NEXT, ops.CURSOR_CLOSE, ops.SNAP_BEGIN,
  ops.SNAP_END, ops.HELLO, ops.DOOR])
for (const [name, number] of Object.entries(ops)) {
  if (name.startsWith('CACHE_') || name.startsWith('LOG_')) reads.add(number)
}

// isRead[op], an array because the hot path asks it for each call.
const isRead = names.map((name, op) => reads.has(op))

// The reply kinds.
const kinds = Object.freeze({ VALUE: 0, ERROR: 1, ROWS: 2, RUN: 3, BYTES: 4, MULTI: 5 })

module.exports = { ops, names, isRead, kinds }
