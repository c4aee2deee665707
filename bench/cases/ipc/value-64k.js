'use strict'

// Large values: what is copied how often, beside an echo that only counts bytes.

const { load, cpuRows } = require('../../lib/hop')
const data = require('../../lib/data')
const { VALUE } = require('../../lib/redis')

const IN_FLIGHT = 64
const { body: BODY } = data.value(1)
const READ = 'select body from value where id = ?'
const ECHO = 'select ? as body'

let sum = 0

const text = bytes => Buffer.from(bytes).toString('base64')

function program (context, get) {
  return {
    check: async () => text(await get()),
    round: load(IN_FLIGHT, context, async () => { sum += (await get()).length })
  }
}

const read = {
  name: 'value-64k',
  label: ['64 KB values, 64 in flight', 'against an echo'],
  title: 'values of 64 KB, 64 in flight: SELECT against GET, and against an echo, which carries them both ways',
  ours: 'read',
  rivals: { kv: 'read', echo: 'echo', thread: 'read' },
  limit: 'echo-64k',
  targets: { 'node:net': 1 }
}

module.exports = {
  title: 'Values of 64 KB',
  unit: 'values/s',
  rows: [
    read,
    ...cpuRows(read, 'a value of 64 KB'),
    {
      name: 'value-64k-both-ways',
      title: 'the same both ways: `select ?` with such a parameter, against an echo',
      ours: 'echo',
      rivals: { echo: 'echo' },
      limit: 'echo-64k',
      targets: { 'node:net': 1 }
    }
  ],
  programs: {
    ours: {
      read (context) {
        const query = context.lib.db.prepare(READ)
        return program(context, async () => (await query.get([1])).body)
      },
      echo (context) {
        const query = context.lib.db.prepare(ECHO)
        return program(context, async () => (await query.get([BODY])).body)
      }
    },
    kv: { read: context => program(context, () => context.lib.getBytes(`${VALUE}1`)) },
    echo: {
      echo (context) {
        const { lib } = context
        const body = lib.text ? text(BODY) : BODY
        return {
          async check () {
            const back = await lib.call(body)
            return lib.text ? back : text(lib.counts ? body : back)
          },
          round: load(IN_FLIGHT, context, () => lib.call(body))
        }
      }
    },
    thread: { read: context => program(context, async () => (await context.lib.get(READ, 1)).body) }
  },
  sum: () => sum
}
