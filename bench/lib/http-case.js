'use strict'

// The cases of the door `http`: a question that everybody is asked, by wrk with 64
// connections, and what a request costs the server.

const path = require('node:path')
const wrk = require('./wrk')
const { cpuOfTree } = require('./cpu')
const { asker } = require('./http-ask')
const { numbersIn } = require('./http-numbers')
const rules = require('../techempower/rules')
const { servers } = require('../contestants/http/undercroft')

const CONNECTIONS = 64
const BENCH = path.join(__dirname, '..')

const RIVALS = ['axum', 'bun', 'hono', 'elysia', 'node', 'fastify']

const directories = {
  people: path.join(BENCH, 'routes'),
  techempower: path.join(BENCH, 'techempower/routes')
}

/**
 * @param {object} about
 * @param {string} about.title
 * @param {string} about.target what is asked
 * @param {string} [about.body] JSON: it is a POST
 * @param {number} [about.depth] requests that wrk sends at a time
 * @param {string} about.routes 'people' or 'techempower'
 * @param {Function} about.check (ask, job) -> a promise of what must be equal for all
 * @param {object[]} about.rows see rowsOf
 */
function question ({ title, target, body, depth, routes, check, rows }) {
  async function program ({ job }) {
    const { pid, port } = job.service
    const url = `http://127.0.0.1:${port}`
    const ask = asker(url)
    const checked = () => check(ask, job)
    const skip = job.isSmoke ? null : wrk.missing()
    if (skip !== null) return { skip }
    if (job.isSmoke) return { check: checked, round: () => once(ask, target, body) }
    return { check: checked, round: ms => round(pid, ms, `${url}${target}`, { depth, body }) }
  }
  const ours = Object.fromEntries(Object.keys(servers).map(name => [name, program]))
  const rivals = Object.fromEntries(RIVALS.map(family => [family, { 'by hand': program }]))
  return {
    title,
    unit: 'µs',
    roundMs: 1000,
    routes: directories[routes],
    rows,
    programs: { ours, ...rivals }
  }
}

/**
 * { rate, cpu (µs of the server's threads for a request), busy (the share of one
 * processor that it used) }: a server that is not busy waits for wrk.
 */
async function round (pid, ms, url, options) {
  const before = cpuOfTree(pid)
  const { rate, requests } = await wrk.load(url, ms, CONNECTIONS, options)
  const spent = cpuOfTree(pid) - before
  return { rate, cpu: spent / requests, busy: spent * rate / requests / 1e6 }
}

/** Of a smoke test, which measures nothing. */
async function once (ask, target, body) {
  const { status } = await ask(target, body === undefined ? {} : { method: 'POST', body })
  if (status !== 200) throw new Error(`${target} was answered with ${status}`)
  return { rate: 1, cpu: 1, busy: 1 }
}

/**
 * The rows of a question: what a request costs the server, and how many it answers a
 * second. Both have the same targets: a server that has one processor answers as many
 * as that has time for, unless wrk is slower.
 *
 * @param {object} about
 * @param {string} about.ours a program of ours
 * @param {object} about.rivals family -> program
 * @param {object} [about.targets] contestant -> ratio
 * @param {number} [about.atLeast] requests a second
 */
function rowsOf ({ name, title, label, ours, rivals, targets = {}, atLeast }) {
  return [
    { name, title, label, measure: 'cpu', better: 'lower', ours, rivals, targets },
    {
      name: `${name}-rate`,
      title,
      unit: 'requests/s',
      measure: 'rate',
      ours,
      rivals,
      targets,
      ...atLeast === undefined ? {} : { atLeast: { node: atLeast, bun: atLeast } }
    }
  ]
}

const byHand = families => Object.fromEntries(families.map(family => [family, 'by hand']))

/**
 * A check by the rules of TechEmpower: what breaks one is an error and no figure. But
 * for the name of the server, which ours does not say, and so nobody does.
 */
function byRule (name, options = () => ({})) {
  return async (ask, job) => {
    const problems = (await rules[name](ask, options(job))).filter(problem => !problem.endsWith(rules.NO_NAME))
    if (problems.length > 0) throw new Error(`${name}: ${problems.join('; ')}`)
    return 'as the rules want it'
  }
}

/** Of updates, which are a POST here, and change what is in the file. */
const updatesOf = ({ file }) => ({ post: true, numbersOf: numbersIn(file) })

module.exports = { question, rowsOf, byHand, byRule, updatesOf }
