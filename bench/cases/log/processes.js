'use strict'

// Four processes write lines into one place: through one daemon, into one
// directory, or each by itself at the end of one file.

const { Crew } = require('../../lib/crew')
const { LogDaemon } = require('../../lib/log-daemon')
const { now } = require('../../lib/loop')
const { turn } = require('../../lib/log-rounds')
const { FIRST, arrived, bytesOf, eachLine, essence, sync, verify } = require('../../lib/log-lines')
const { filesOf } = require('../../contestants/log/undercroft')

const PROCESSES = 4
const APART = 20000000 // between the numbers of two processes
const CHECKED = 3
// Nothing may be dropped in a flood; pino's buffers have no limit either.
const ROOM = { overflow: 'grow', growBytes: 512 * 2 ** 20 }
const TORN = 'lines of its worker threads are torn where several processes append to one file'

/** `job` of servers/writer.js, and where its lines are. */
async function crewOf (job, files, closed = async () => {}) {
  const crew = await Crew.start(PROCESSES, { ...job, apart: APART }, 'writer')
  const place = { files }
  const lineBytes = new Array(PROCESSES).fill(0)
  const processOf = i => Math.floor(i / APART)

  return {
    async check () {
      await crew.each({ name: 'some', count: CHECKED })
      const texts = await linesOf(place, PROCESSES * CHECKED)
      for (const text of texts) lineBytes[processOf(JSON.parse(text).reqId - FIRST)] = Buffer.byteLength(text) + 1
      return texts.map(text => essence(JSON.parse(text))).sort((a, b) => a.reqId - b.reqId)
    },
    async round (ms) {
      const parts = files().map(file => ({ file, from: bytesOf([file]) }))
      const before = bytesOf(files())
      const start = now()
      const ranges = await crew.each({ name: 'round', ms })
      const bytes = ranges.reduce((sum, { count }, i) => sum + count * lineBytes[i], 0)
      await arrived(place, before + bytes)
      sync(files())
      const elapsed = now() - start
      verify(parts, ranges)
      return { rate: ranges.reduce((sum, { count }) => sum + count, 0) * 1000 / elapsed }
    },
    async close () {
      await crew.close()
      await closed()
    }
  }
}

/** The texts of the first n lines with a number. */
async function linesOf ({ files }, n) {
  for (;;) {
    const texts = []
    for (const file of files()) {
      eachLine(file, 0, (id, bytes, start, end) => { if (id >= 0) texts.push(bytes.toString('utf8', start, end)) })
    }
    if (texts.length === n && texts.every(text => text.endsWith('}'))) return texts
    await turn()
  }
}

function appending ({ job }) {
  if (job.contestant === 'pino, transport') return { skip: TORN }
  return crewOf({ contestant: job.contestant, file: job.file }, () => [`${job.file}.log`])
}

async function daemon ({ job }) {
  const dir = `${job.file}.daemon`
  const server = new LogDaemon(dir)
  try {
    await server.start()
    return await crewOf({
      contestant: job.contestant, target: server.target, dir, options: ROOM
    }, () => filesOf(dir), () => server.stop())
  } catch (err) {
    await server.stop()
    throw err
  }
}

function directory ({ job }) {
  return crewOf({ contestant: job.contestant, file: job.file }, () => filesOf(`${job.file}.logs`))
}

const targets = { pino: 1.5, 'pino, async': 1.5 }

module.exports = {
  title: 'Lines of four processes',
  unit: 'lines/s',
  roundMs: 1000,
  opensItself: true,
  rows: [
    {
      name: 'processes',
      label: ['Lines of 4 processes', 'through one daemon'],
      title: 'lines a second from 4 processes over IPC, until all are on the disk, against 4 processes that append to one file',
      ours: 'daemon',
      rivals: { pino: 'appending' },
      targets
    },
    {
      name: 'processes-directory',
      label: ['Lines of 4 processes', 'into one directory'],
      title: 'the same without a daemon: 4 processes on one directory',
      ours: 'directory',
      rivals: { pino: 'appending' },
      targets: {}
    }
  ],
  programs: {
    ours: { daemon, directory },
    pino: { appending }
  }
}
