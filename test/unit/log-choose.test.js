'use strict'

// npx undercroft logs: what it passes over without parsing, reading or following it.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const { execFileSync } = require('node:child_process')
const t = require('tap')
const { filesOf, notAfter } = require('../../lib/log/read')
const { parse } = require('../../lib/log/pretty')
const { readQuery } = require('../../lib/cli/commands/logs')
const { tmpdir } = require('../helper')
const { at, line, fill, logs } = require('./log-dir')

t.test('what is asked for, where the text alone does not tell', async (t) => {
  const has = (values, text) => readQuery(values).matches(text) !== undefined
  for (const [field, text] of [
    ['a.b=1', '{"level":30,"a":{"b":1}}'], ['a.b=1', '{"level":30,"a.b":"1"}'], ['a.b=1', '{"level":30, "a" : { "b" : 1 } }'], ['list.0=x', '{"level":30,"list":["x"]}'],
    ['msg.length=3', '{"level":30,"msg":"one"}'], ['ü=1', '{"level":30,"\\u00fc":1}'], ['a=ü', '{"level":30,"a":"\\u00fc"}'], ['a=x y', '{"level":30,"a":"x\\u0020y"}'],
    ['o={"a":1}', '{"level":30,"o":{ "a":1 }}'], ['n=1.5', '{"level":30,"n":1.5}'], ['a=null', '{"level":30,"a":"null"}'], ['a=', '{"level":30,"a":""}']
  ]) {
    t.ok(has({ field: [field] }, text), `${field} ${text}`)
    t.notOk(has({ field: [field] }, '{"level":30,"x":1}'))
  }
  t.notOk(has({ field: ['a=1'] }, '{"level":30,"a":2,"b":1}'), 'both texts are there, and not together')
  t.ok(has({ level: 'warn' }, '{"time":1,"level":40}'), 'not at the beginning')
  t.notOk(has({ level: 'warn' }, '{"level":30,"time":1,"level":50}'), 'that of the line counts')
})

t.test('what is older than a time, without reading what is younger', async (t) => {
  const dir = tmpdir(t)
  const write = (name, ...lines) => fs.writeFileSync(path.join(dir, name), zlib.gzipSync(lines.join('')))
  const first = line('2026-11-20T10:00:00Z', 30, 'first')
  write('app-2026-11-20.1.log.gz', first)
  write('app-2026-11-21.2.log.gz', line('2026-11-21T06:00:00Z', 30, 'next day'))
  write('app-2026-11-21.3.log.gz', line('2026-11-21T20:00:00Z', 30, 'later that day'))
  write('app-2026-11-22.4.log.gz', 'no line\n', first.replace('first', 'out of a ring'), line('2026-11-22T06:00:00Z', 30, 'x'))
  write('app-2026-11-23.5.log.gz', line('2026-11-23T06:00:00Z', 30, 'x'))
  write('app-2026-11-24.6.log.gz')
  fs.writeFileSync(path.join(dir, 'app-2026-11-25.7.log.gz'), 'damaged')
  const after = async (until) => (await notAfter(filesOf(dir), at(until), (text) => parse(text)?.time)).map(({ number }) => number)
  t.same(await after('2026-11-20T12:00:00Z'), [1, 4, 6, 7], 'what tells nothing is read')
  t.same(await after('2026-11-21T05:30:00Z'), [1, 2, 4, 6, 7], 'a line may stand behind one that is a little younger')
  t.same(await after('2026-11-26T00:00:00Z'), [1, 2, 3, 4, 5, 6, 7])
  fs.rmSync(path.join(dir, 'app-2026-11-25.7.log.gz'))
  // Its beginning is whole, its end is damaged: it is not read to its end.
  const long = zlib.gzipSync(Array.from({ length: 50000 }, (_, i) => line('2026-11-25T10:00:00Z', 30, `${i} ${Math.sin(i)}`)).join(''))
  fs.writeFileSync(path.join(dir, 'app-2026-11-25.8.log.gz'), long.subarray(0, long.length - 10))
  const { messages, stderr, code } = await logs(['--dir', dir, '--json', '--until', '2026-11-20T12:00:00Z'])
  t.same([messages, stderr, code], [['first', 'out of a ring'], '', 0])
  t.equal((await logs(['--dir', dir, '--json', '--grep', 'first'])).code, 1, 'which is seen by who reads it')
})

t.test('what only has the name of a file of a log', async (t) => {
  const dir = fill(t)
  const secret = path.join(tmpdir(t), 'secret')
  fs.writeFileSync(secret, 'secret\n')
  fs.writeFileSync(`${secret}.gz`, zlib.gzipSync('secret\n'))
  fs.symlinkSync(secret, path.join(dir, 'app-2026-11-24.12.log'))
  fs.symlinkSync(`${secret}.gz`, path.join(dir, 'app-2026-11-20.1.log.gz'))
  fs.symlinkSync(`${secret}.gz`, path.join(dir, 'app-2026-11-20.2.log.zst'))
  fs.mkdirSync(path.join(dir, 'app-2026-11-20.3.log'))
  execFileSync('mkfifo', [path.join(dir, 'app-2026-11-20.4.log')])
  for (const args of [[], ['-n', '100'], ['--until', '2026-11-19']]) {
    const { stdout, stderr, code } = await logs(['--dir', dir, ...args])
    t.notMatch(stdout + stderr, /secret\n/)
    t.equal(code, 1)
    for (const name of ['24.12.log', '20.1.log.gz', '20.2.log.zst']) t.ok(stderr.includes(`${name} is a link, which is not followed`), name)
    for (const name of ['20.3.log', '20.4.log']) t.ok(stderr.includes(`${name} is no file`), name)
    if (args[0] !== '--until') t.match(stdout, /fourth/, 'the rest is shown')
  }
  const followed = await logs(['--dir', dir, '--follow'])
  t.equal(followed.code, 1)
  t.notMatch(followed.stdout, /secret/)
  const link = path.join(tmpdir(t), 'link')
  fs.rmSync(path.join(dir, 'app-2026-11-24.12.log'))
  fs.symlinkSync(dir, link)
  t.match((await logs(['--dir', link])).stdout, /fourth/, 'the directory may be one')
})
