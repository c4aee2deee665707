'use strict'

// What limits a row that does not reach its target, as a profile shows it.
// The results print the sentence under the table while the row falls short.

const wakeUps = 'two wake-ups through the kernel, of the reader and of the main thread, cost several times the read itself; spinning hides them only while both processors are free'

const addon = {
  'point-get': 'on Bun more than half of the time is inside the addon: Node-API calls there cost more than bun:sqlite\'s own bindings',
  'point-get-transaction': 'SQLite itself is 38 % of the time, our core 25 %, JavaScript 13 %, Node-API and builtins 12 % (perf, Node 24); bun:sqlite calls SQLite without Node-API',
  'point-get-turn': 'each turn pays BEGIN, COMMIT and a microtask for its one read',
  'async-get-64': wakeUps,
  'async-get-1000': 'the JavaScript of a promise and its request is about as long as the reader\'s work, so the slower of the two processors decides',
  'lone-get': wakeUps,
  'insert-many': 'the writer thread spends its time in SQLite (our core is 8 % of it); what is left is SQLite against SQLite',
  'durable-insert-64': 'the wake-ups between commit and the next batch, and the time of one fdatasync',
  'durable-insert-1000-transaction': 'a single insert is bound, run and answered on its own (48 % of the samples are the writer, of which 20 points are the kernel)',
  'loop-delay': 'the decode budget of 1 ms a turn and scavenges of 0.5 ms; beyond them it is the machine\'s other processes'
}

const ipc = {
  'ping-64': 'the client is at its least there, and what is left of both sides is the hop itself: reading, writing and waking through the kernel',
  'insert-processes': 'the calls of four clients come back in two halves that take turns: a group commit has 30 of the 64, and each pays one fdatasync and the wake-ups of the writer, the loop, nng\'s poller and a client (perf, Node 24: half of the daemon\'s time is the writer, most of it in the kernel)',
  'value-64k': 'nng sends on threads of its own: 1.7 changes of context a value and 26 % of the daemon\'s time in futexes, 20 % in copies (perf, Node 24); SQLite gathers each value from 16 overflow pages',
  'value-64k-both-ways': 'the same, and the value is bound, copied by SQLite and sent back'
}

const cache = {
  'first-level': 'each hit reads the clock, since a process that was stopped must not trust what it remembers: 60 to 80 ns here, which is more than the Map; lru-cache reads it once a millisecond',
  'sync-get': 'the same clock, and the way through the options of a call',
  'cache-get-64': 'ioredis on Bun is at its fastest, and what is left of both is the hop itself'
}

const log = {
  lines: 'making the line in JavaScript is two thirds of the main thread\'s samples, the addon and the ring 14 %, the caller\'s own objects 11 %, collections 3 % (CPU profile, Node 24, beside other work); npm spdlog\'s callers make the same text with JSON.stringify, one call of the engine, and nothing of theirs survives a kill',
  'call-p999': 'the row below it says what the machine does to a call that only counts; the rest was not profiled',
  'roll-p9999': 'the next row: as many calls that only count, for as long as ours at p50, are hardly faster, or not at all, and that is the machine alone'
}

const deploy = {
  'upload-again': 'by the times of its stages, beside other work: of 1.1 s about 0.5 s are Node\'s start, ssh2, looking at the files and the agent\'s start on the host, 0.15 s the links and 0.25 s reading all 100 MB again on the host: rsync compares sizes and times alone, and reads nothing'
}

const byHand = 'a handler by hand on our own core is little cheaper (the row of its own): the target lies beyond the runtime\'s server and our core together'

const http = {
  'notes-door': 'SQLite itself is 35,115 of the 60,099 instructions of a request, and the rivals run the same SQL',
  'notes-node': byHand,
  'notes-bun': byHand,
  'queries-door': 'SQLite itself is 42,300 of the 70,097 instructions of a request',
  'insert-door': 'SQLite itself is 12,470 of the 29,062 instructions of a request',
  'fortunes-door': 'SQLite\'s sorter and what it reads are 28,330 of the 63,690 instructions, where axum sorts in Rust',
  'crowd-p99': 'alone, p99 is 0.2 ms, and the ratio of single rounds goes from a quarter to ten: it is not known yet what of it is the machine'
}

const pg = {}

module.exports = { addon, ipc, cache, log, deploy, http, pg }
