'use strict'

// Ten processes: through one daemon with ten connections, or with a pool of their own each.

const path = require('node:path')
const { Peer } = require('../../lib/peer')
const { Service } = require('../../lib/service')
const { targets } = require('../../lib/pg-case')
const { daemonPath } = require('../../../lib/base/binding')

const PROCESSES = 10
const TIMES = 3 // a round is measured so often, and the median counts
const WORKER = path.join(__dirname, '../../worker.js')

/**
 * Each of the processes is one more of this benchmark, with 64 point reads in flight. They are there for
 * the time of a round alone: those of all contestants at once would be a hundred.
 */
function crew (job, service) {
  const each = JSON.stringify({ ...job, case: path.join(__dirname, 'get.js'), program: 'get64', service })
  const many = async (count, use) => {
    const peers = Array.from({ length: count }, () => new Peer(process.execPath, [WORKER, each]))
    try {
      await Promise.all(peers.map(peer => peer.ask('setup')))
      return await use(peers)
    } finally {
      await Promise.all(peers.map(peer => peer.quit()))
    }
  }
  return {
    check: () => many(1, async ([peer]) => (await peer.ask('check')).sample),
    round: ms => many(job.isSmoke ? 2 : PROCESSES, async peers => {
      const rates = []
      for (let i = 0; i < TIMES; i++) {
        const rounds = await Promise.all(peers.map(peer => peer.ask('round', { ms }, ms * 10 + 60_000)))
        rates.push(rounds.reduce((all, { rate }) => all + rate, 0))
      }
      return { rate: median(rates) }
    })
  }
}

const median = values => values.toSorted((a, b) => a - b)[values.length >> 1]

module.exports = {
  title: 'Ten processes',
  unit: 'queries/s',
  opensItself: true,
  once: true,
  roundMs: 1000,
  rows: [
    {
      name: 'processes',
      label: ['Ten processes', 'one daemon, ten pools'],
      title: 'ten processes, 64 point reads in flight each: one daemon with 10 connections against a pool each',
      ours: 'daemon',
      rivals: { pool: 'pools' },
      targets: targets({ node: 1, bun: 1 })
    }
  ],
  programs: {
    ours: {
      async daemon ({ job }) {
        const socket = `${job.sockets}/pg-${process.pid}.sock`
        const daemon = new Service(socket, { command: daemonPath(), args: ['--listen', `ipc://${socket}`], env: { UNDERCROFT_DB: `main=${job.service.url}` } })
        await daemon.ready()
        return { ...crew(job, { ...job.service, url: `ipc://${socket}` }), close: () => daemon.stop() }
      }
    },
    pool: {
      pools: ({ job }) => crew(job, job.service)
    }
  }
}
