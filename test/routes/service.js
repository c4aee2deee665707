'use strict'

// The service that the vectors ask: the routes of the fake core, handlers of one's own, an option user.

const fs = require('node:fs')
const path = require('node:path')
const v = require('valibot')
const { Routes } = require('../../lib/routes')
const { FakeCore, source } = require('./fake-core')
const { ORIGIN } = require('./vectors')
const { tmpdir } = require('../helper')

const number = v.pipe(v.string(), v.regex(/^\d+$/, 'not a number'), v.transform(Number))

// Standard Schema by hand, and asynchronous.
const note = {
  '~standard': {
    version: 1,
    vendor: 'test',
    async validate (value) {
      await null
      return value.text === 'taken' ? { issues: [{ message: 'is\ntaken', path: [{ key: 'text' }] }] } : { value }
    }
  }
}

async function user (caller) {
  const name = caller.header('x-user')
  if (name === undefined) return null
  if (name === 'broken') throw new Error('the table of sessions is gone')
  return { user: /^\d+$/.test(name) ? Number(name) : name, roles: caller.header('x-roles')?.split(',') }
}

function addOwn (routes) {
  return routes
    .get('/own/sum', { schema: v.object({ a: number, b: number }), public: true }, ({ a, b }) => ({ sum: a + b }))
    .post('/own/note', { schema: note, auth: true }, ({ text }, { user }) => ({ text, by: user }))
    .get('/own/staff', { auth: ['staff'] }, () => {})
    .get('/own/refuse', { public: true }, (_, context) => context.refuse('not today'))
    .get('/own/throw', { public: true }, () => { throw new TypeError('secret') })
    .get('/own/secure', { public: true }, (_, context) => {
      context.set('Set-Cookie', `a=1${context.isSecure ? '; Secure' : ''}`)
      return { secure: context.isSecure }
    })
    .get('/own/header', { public: true }, (value, context) => {
      context.set(value.name ?? 'X-Value', value.value)
    })
    .get('/own/response', { public: true }, () => new Response('made', { status: 201, headers: { 'X-Kind': 'test', 'Content-Type': 'text/plain; charset=utf-8' } }))
    .get('/own/cookies', { public: true }, (_, context) => context.reply('', { type: '', headers: { 'Set-Cookie': ['a=1', 'b=2'] } }))
    .get('/own/bytes', { public: true }, (_, context) => context.reply(Buffer.from('abc'), { type: 'image/x-test', headers: { 'X-Kind': 'test' } }))
}

/** A directory with these files. */
function directory (t, files = { 'all.sql': source + '\n-- @header x-tenant\n' }) {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'routes-'))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
    fs.writeFileSync(path.join(dir, name), text)
  }
  return dir
}

/** -> { core, routes, dir } */
function service (t, options = {}, files = undefined) {
  const core = new FakeCore()
  const dir = directory(t, files)
  const routes = new Routes(core, dir, options)
  t.teardown(() => routes.close())
  return { core, routes, dir }
}

/** That of the vectors. */
function vectorService (t, options = {}) {
  const made = service(t, { origins: [ORIGIN], user, bodyMost: 4096, ...options })
  addOwn(made.routes)
  return made
}

module.exports = { directory, service, vectorService }
