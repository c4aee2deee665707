'use strict'

// What limits a row that does not reach its target, as a profile shows it.
// RESULTS.md and IPC.md print the sentence under the table while the row falls short.

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

const ipc = {}

module.exports = { addon, ipc }
