'use strict'

// What 10,000 other connections do to the slowest answers of those that ask: most of them
// idle, some slow, silent, pipelining or never reading. Both servers are ours; one is alone.

const path = require('node:path')
const { fork } = require('node:child_process')
const wrk = require('../../lib/wrk')
const { asker } = require('../../lib/http-ask')

const CONNECTIONS = 16
const CROWD = 10_000
const TARGET = '/db'

/** The crowd, in a process of its own, when all of it is there: { tell('annoy' or 'rest'), close }. */
async function gather (port, count) {
  const child = fork(path.join(__dirname, '../../servers/http/crowd.js'), [String(port), String(count)])
  await new Promise((resolve, reject) => {
    child.once('message', ({ problem }) => { problem === undefined ? resolve() : reject(new Error(problem)) })
    child.once('exit', (code) => reject(new Error(`the crowd ended with ${code}`)))
  })
  return {
    tell: (word) => child.send(word),
    close: () => new Promise((resolve) => { child.removeAllListeners().once('exit', resolve).kill() })
  }
}

function program (isCrowded) {
  return async ({ job }) => {
    const url = `http://127.0.0.1:${job.service.port}`
    const skip = job.isSmoke ? null : wrk.missing()
    if (skip !== null) return { skip }
    const check = async () => (await asker(url)(TARGET)).status
    const crowd = isCrowded ? await gather(job.service.port, job.isSmoke ? 100 : CROWD) : { tell () {}, close () {} }
    const round = async (ms) => {
      if (job.isSmoke) return { p99: 1 }
      // Only in its own rounds: who is alone has the same processors.
      crowd.tell('annoy')
      const { p99 } = await wrk.load(`${url}${TARGET}`, ms, CONNECTIONS).finally(() => crowd.tell('rest'))
      return { p99 }
    }
    return { check, round, close: crowd.close }
  }
}

module.exports = {
  title: 'A crowd',
  unit: 'ms',
  roundMs: 2000,
  routes: path.join(__dirname, '../../techempower/routes'),
  rows: [{
    name: 'crowd-p99',
    title: `p99 of ${CONNECTIONS} connections beside ${CROWD.toLocaleString('en')} others, against being alone`,
    label: ['10,000 connections', 'C door'],
    measure: 'p99',
    better: 'lower',
    ours: 'door-crowded',
    rivals: { ours: 'door-alone' },
    targets: { undercroft: 1 / 1.5 }
  }],
  programs: { ours: { 'door-crowded': program(true), 'door-alone': program(false) } }
}
