'use strict'

// service - the last part of the tour: the cities served from SQL files, by this process and by the
// daemon without it. Both are asked the same, and have to answer the same.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { folder, serve } = require('../service/service')
const { command } = require('./log')
const { bold, count, duration, note, result, step, timed, wrong } = require('./screen')

const TARGET = '/country/largest?country=FR&limit=3'
const TIMES = 500

// The exit code of a command that needs what is not there.
const LACKING = 3

const isBun = process.versions.bun !== undefined
const mount = isBun
  ? "Bun.serve({ fetch: store.routes('examples/service/routes').fetch })"
  : "http.createServer(store.routes('examples/service/routes').node())"

// One route of the files, as it stands there.
function route (start) {
  const parts = fs.readFileSync(path.join(folder, 'cities.sql'), 'utf8').trimEnd().split('\n\n')
  return parts.find((part) => part.includes(`\n-- ${start}`)).split('\n')
}

/** Starts the service on the tour's store, which ends with it. */
async function start ({ store }, began) {
  step('A service in SQL files', ...route('@get /country/largest'), '', mount)
  const server = await serve(store, { port: Number(process.env.UNDERCROFT_PORT) || 4000, exit: false, signals: false, idleMs: 0 })
  result(`${bold(server.url)} after ${duration(performance.now() - began)} in all`)
  return server
}

/** Asks it, and then the daemon with the same files. */
async function compare ({ dir, file }, { port }) {
  const here = await asked({ host: '127.0.0.1', port })
  result(`${count(TIMES)} times ${TARGET}, one after another: ${duration(here.ms)} each`)
  note(`asked by the process that answers, through ${isBun ? 'Bun.serve' : 'node:http'}: ${JSON.parse(here.body).map(({ name }) => name).join(', ')}`)
  const socketPath = path.join(dir, 'http.sock')
  step('The same files served by the daemon, in C', `npx undercroft serve --http unix:${socketPath} --routes examples/service/routes --db cities.db`)
  const door = await serveInC(socketPath, file)
  if (door === null) return note('there is no daemon here')
  try {
    const there = await asked({ socketPath })
    const text = `the same ${count(TIMES)} questions: ${duration(there.ms)} each, ${there.body === here.body ? 'and the same answers, byte by byte' : 'but other answers'}`
    if (there.body === here.body) return result(text)
    wrong(text)
    throw new Error('the two doors differ')
  } finally {
    await door.stop()
  }
}

/** -> the answer, and what it took; over one connection, each of them checked */
async function asked (where) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const once = () => get({ ...where, agent, path: TARGET })
  try {
    const body = await once()
    if (JSON.parse(body)[0].name !== 'Paris') throw new Error(`the largest city of France is not ${body}`)
    const [, ms] = await timed(async () => {
      for (let i = 0; i < TIMES; i++) if (await once() !== body) throw new Error('the service answers differently each time')
    })
    return { body, ms: ms / TIMES }
  } finally {
    agent.destroy()
  }
}

function get (options) {
  return new Promise((resolve, reject) => {
    http.get(options, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (piece) => { body += piece }).on('error', reject)
      res.on('end', () => res.statusCode === 200 ? resolve(body) : reject(new Error(`the service answered ${res.statusCode}: ${body}`)))
    }).on('error', reject)
  })
}

// -> { stop }; null where there is no daemon
function serveInC (socket, file) {
  const args = [command, 'serve', '--http', `unix:${socket}`, '--routes', folder, '--db', file]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const closed = new Promise((resolve) => child.once('close', resolve))
  const stop = () => {
    child.kill('SIGTERM')
    return closed
  }
  return new Promise((resolve, reject) => {
    let said = ''
    child.once('error', reject)
    child.stderr.setEncoding('utf8').on('data', (piece) => {
      said += piece
      if (said.includes('routes on http')) resolve({ stop })
    })
    closed.then((code) => code === LACKING ? resolve(null) : reject(new Error(`the daemon ended with ${code}: ${said}`)))
  })
}

module.exports = { start, compare }
