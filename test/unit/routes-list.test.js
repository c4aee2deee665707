'use strict'
// undercroft routes as a command: its table, what it may write instead, mistakes.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync, spawnSync } = require('node:child_process')
const t = require('tap')
const { UndercroftError } = require('../../lib/base/errors')
const { root, tmpdir } = require('../helper')
const { command } = require('./routes-command')
const { described, route } = require('./routes-described')

// A folder with routes and migrations, and the command in it with routes that are as described.
function project (t, list = described) {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'project-'))
  for (const name of ['routes', 'migrations']) fs.mkdirSync(path.join(dir, name))
  fs.writeFileSync(path.join(dir, 'package.json'), '{ "name": "@some/Dmail", "version": "1.2.3" }')
  const asked = []
  const checks = []
  const describe = async (dir, target, options) => {
    asked.push([dir, target])
    checks.push(options)
    if (list instanceof Error) throw list
    return list
  }
  const place = path.join(dir, 'routes')
  const run = (...args) => command(['routes', ...args, ...args.includes(place) ? [] : [place]], { describe })
  return { dir, place, asked, checks, run }
}

t.test('the list', async (t) => {
  const { code, out, err } = await project(t).run()
  t.same([code, err], [0, ''])
  t.equal(out, `\
method  path             answer  who            where         parameters
GET     /dmail/user/q    many    public         user.sql:2    name, age, id?, ps?
POST    /dmail/user/add  one     editor         user.sql:14   name, password, state?, tags?, kinds?, born?, photo?, more?, ok?, state2?, x_tenant
POST    /dmail/user/set  none    logged in      user.sql:30   id, score?
GET     /dmail/user/one  one!    admin, editor  user.sql:40   id
GET     /dmail/board     many    public         board.sql:1   ids?, filter?
GET     /dmail/pages     page    logged in      board.sql:20  n?
GET     /                html    public         board.sql:30  -
GET     /version         text    public         board.sql:40  -
POST    /version         none    admin          board.sql:50  -
POST    /login           none    public         board.sql:60  name
GET     /delete          many    public         board.sql:70  -`)
  t.same(JSON.parse((await project(t).run('--json')).out), described)
  const empty = project(t, [])
  t.equal((await empty.run()).out, `there are no routes in ${empty.place}`)
})

t.test('who may call what', async (t) => {
  const { out } = await project(t, described.slice(0, 4)).run('--matrix')
  t.equal(out, `\
method  path             anyone  logged in  admin  editor
GET     /dmail/user/q    x       x          x      x
POST    /dmail/user/add  -       -          -      x
POST    /dmail/user/set  -       x          x      x
GET     /dmail/user/one  -       -          x      x`)
  t.same(JSON.parse((await project(t, described.slice(1, 2)).run('--matrix', '--json')).out),
    { columns: ['anyone', 'logged in', 'editor'], rows: [{ method: 'POST', path: '/dmail/user/add', may: [false, false, true] }] })
})

t.test('what else may be written', async (t) => {
  const at = project(t)
  const document = JSON.parse((await at.run('--openapi')).out)
  t.same(document.info, { title: '@some/Dmail', version: '1.2.3' })
  t.ok(document.paths['/login'].post)
  t.ok(JSON.parse((await at.run('--openapi', '--fine')).out).paths['/login'].post.responses[429])
  t.match((await at.run('--client')).out, /^export const login = /m)
  t.match((await at.run('--types')).out, /^export function login\(/m)
  t.match(JSON.parse((await at.run('--types', '--json')).out), /^export function login\(/m)
  t.match((await at.run('--nginx', 'http')).out, 'upstream dmail_routes {\n    server 127.0.0.1:4000 ')
  t.match((await at.run('--nginx', 'http', '--door', 'unix:/run/dmail/http.sock')).out, 'server unix:/run/dmail/http.sock ')
  t.match((await at.run('--nginx', 'server', '--fine')).out, 'return 429 ')
})

t.test('which database they are read against', async (t) => {
  const at = project(t)
  await at.run()
  t.same(at.asked.pop(), [at.place, { db: null, migrations: path.join(at.dir, 'migrations') }], 'the migrations beside the folder')
  const file = path.join(at.dir, 'app.db')
  fs.writeFileSync(file, '')
  await at.run('--db', file)
  t.same(at.asked.pop(), [at.place, { db: file, migrations: null }])
  await at.run('--db', 'ipc:///run/x')
  t.same(at.asked.pop(), [at.place, { db: 'ipc:///run/x', migrations: null }])
  const other = path.join(at.dir, 'other')
  fs.mkdirSync(other)
  await at.run('--migrations', other)
  t.same(at.asked.pop(), [at.place, { db: null, migrations: other }])
})

t.test('check', async (t) => {
  t.match(await project(t).run('check'), { code: 0, out: '11 routes in 2 files: all is right', err: '' })
  t.match(await project(t, [route('GET', '/')]).run('check'), { code: 0, out: '1 route in 1 file: all is right' })
  t.same(JSON.parse((await project(t).run('check', '--json')).out), { ok: true, routes: 11 })
  const faulty = new UndercroftError('UC_ROUTE', "user.sql:7: unknown tag '@pubic': did you mean '@public'?", { kind: 'usage' })
  for (const args of [['check'], [], ['--openapi']]) {
    t.same(await project(t, faulty).run(...args), { code: 1, out: '', err: "user.sql:7: unknown tag '@pubic': did you mean '@public'?" })
  }
  t.match(await project(t, new UndercroftError('UC_BUSY', 'busy')).run('check'), { code: 1, err: 'UC_BUSY: busy' })
  t.match(await project(t, new UndercroftError('UC_NO_ADDON', 'no addon')).run('check'), { code: 3 })
  await t.rejects(project(t, new TypeError('a mistake of ours')).run('check'), { message: 'a mistake of ours' })
})

t.test('a wrong command line says why, and what helps', async (t) => {
  const at = project(t)
  for (const [args, message] of [
    [['--openapi', '--types'], '--openapi and --types exclude each other\n  run the command once for each'],
    [['check', '--matrix'], 'routes check takes no --matrix'],
    [['--nginx', 'htp'], '--nginx is http or server, the context it is for, not \'htp\'; did you mean "http"?'],
    [['--nginx', 'http', '--door', 'a;b'], "--door is where the C door listens, not 'a;b'\n  127.0.0.1:4000, or unix:/run/app/http.sock"],
    [['--db', 'a', '--migrations', 'b'], '--db and --migrations exclude each other'],
    [[at.place, 'more'], "routes: there is a word too many: 'more'"]
  ]) {
    const { code, out, err } = await at.run(...args)
    t.equal(code, 2, args.join(' '))
    t.match(err, message)
    t.equal(out, '')
  }
  t.match(await command(['routes', 'chekc']), { code: 2, err: "there is no folder chekc: did you mean 'check'?" })
  t.match(await command(['routes', 'check', path.join(at.dir, 'none')]), { code: 1, err: `there is no folder ${path.join(at.dir, 'none')}\n  name the folder` })
  t.same(at.asked, [])
})

// ---- the program itself ----------------------------------------------------

const tool = (cwd, ...args) => spawnSync(process.execPath, [path.join(root, 'lib/cli/main.js'), ...args], { cwd, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } })

t.test('help, and options that are mistyped', async (t) => {
  const dir = fs.mkdtempSync(path.join(tmpdir(t), 'project-'))
  for (const name of ['routes', 'crud', 'new']) {
    const { status, stdout } = tool(dir, name, '--help')
    t.equal(status, 0)
    t.match(stdout, new RegExp(`^usage: npx undercroft ${name} `))
    t.match(stdout, /exit codes: 0 ok, 1 failed, 2 usage, 3 lacking/)
  }
  const wrong = tool(dir, 'routes', '--opnapi')
  t.equal(wrong.status, 2)
  t.match(wrong.stderr, "undercroft routes: Unknown option '--opnapi': did you mean '--openapi'?")
  t.match(tool(dir, 'crud', 'x', '--nonsense').stderr, /^undercroft crud: Unknown option '--nonsense'\n/)
  t.match(tool(dir, 'crudd').stderr, "there is no command 'crudd': did you mean 'crud'?")
})

t.test('crud and routes, as they are called in a project', async (t) => {
  const dir = tmpdir(t)
  fs.mkdirSync(path.join(dir, 'migrations'))
  fs.writeFileSync(path.join(dir, 'migrations/0001_a.sql'), 'create table p (id integer primary key, name text)')
  const out = execFileSync(process.execPath, [path.join(root, 'lib/cli/main.js'), 'crud', 'p', '--public'], { cwd: dir, encoding: 'utf8' })
  t.equal(out, `wrote ${path.join('routes', 'p.sql')}\nwrote ${path.join('test', 'p.routes.test.js')}\n`)
  t.equal(tool(dir, 'crud', 'p').status, 1)
})

t.test('what the core says of the files of crud, and of faulty ones', async (t) => {
  const dir = tmpdir(t)
  const place = path.join(dir, 'routes')
  fs.mkdirSync(path.join(dir, 'migrations'))
  fs.writeFileSync(path.join(dir, 'migrations/0001_a.sql'), 'create table p (id integer primary key, name text not null)')
  await command(['crud', 'p', '--public', '--dir', place])
  t.match(await command(['routes', 'check', place]), { code: 0, out: '5 routes in 1 file: all is right', err: '' })
  const [list] = JSON.parse((await command(['routes', place, '--json'])).out)
  t.match(list, { method: 'GET', path: '/p/list', form: 'page', file: 'p.sql', public: true, roles: [], params: [{ name: 'id', type: 'integer', optional: true, in: 'query' }, { name: 'limit', least: 1, most: 100, preset: 20 }] })
  for (const option of ['--openapi', '--types', '--client', '--matrix']) t.match(await command(['routes', place, option]), { code: 0, err: '' }, option)
  fs.appendFileSync(path.join(place, 'p.sql'), '-- @get /x\n-- @pubic\nselect 1 limit 1;\n')
  t.match(await command(['routes', 'check', place]), { code: 1, out: '', err: /p\.sql:\d+: .*pubic.*public/ })
  // As a process: nothing but the sentence, and no line of a log.
  const { status, stdout, stderr } = tool(dir, 'routes', 'check')
  t.same([status, stdout], [1, ''])
  t.match(stderr, /^p\.sql:\d+: [^\n]+\n$/)
})
