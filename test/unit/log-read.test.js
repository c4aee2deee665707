'use strict'

// npx undercroft logs, and what it reads with.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const { execFileSync } = require('node:child_process')
const t = require('tap')
const { open } = require('../..')
const { filesOf, notBefore, linesOf, Follower } = require('../../lib/log/read')
const { pretty, parse } = require('../../lib/log/pretty')
const { readQuery } = require('../../lib/cli/commands/logs')
const { tmpdir, until, whyNoOtherUser } = require('../helper')
const { at, line, fill, logs } = require('./log-dir')

const hasZstd = (() => {
  try {
    execFileSync('zstd', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

t.test('the files of a directory, in their order', async (t) => {
  const dir = fill(t)
  const names = (files) => files.map((file) => path.basename(file.path))
  t.same(names(filesOf(dir)), ['app-2026-11-21.1.log.gz', 'app-2026-11-22.2.log', 'app-2026-11-22.10.log', 'app-2026-11-23.11.log'])
  fs.writeFileSync(path.join(dir, 'app-2026-11-22.2.log.gz'), zlib.gzipSync('its archive, just made'))
  t.equal(filesOf(dir).length, 4, 'a file and its archive are one')
  fs.writeFileSync(path.join(dir, 'web-2026-11-22.3.log'), '')
  t.same(names(filesOf(dir, 'web')), ['web-2026-11-22.3.log'])
  t.equal(filesOf(dir).length, 5)
  t.same(names(notBefore(filesOf(dir, 'app'), at('2026-11-23T00:00:00Z'))), ['app-2026-11-22.10.log', 'app-2026-11-23.11.log'])
  t.equal(notBefore(filesOf(dir, 'app'), at('2036-01-01T00:00:00Z')).length, 1, 'the newest may still be written to')
  t.throws(() => filesOf(path.join(dir, 'none')), { code: 'ENOENT' })
})

t.test('lines', async (t) => {
  const dir = tmpdir(t)
  const read = async (name, end) => {
    const lines = []
    for await (const each of linesOf({ path: path.join(dir, name), packed: name.endsWith('.gz') ? 'gz' : name.endsWith('.zst') ? 'zst' : '' }, end)) lines.push(each)
    return lines
  }
  const text = Array.from({ length: 20000 }, (_, i) => `${i} ä日\u{1f600}${'x'.repeat(i % 100)}`)
  fs.writeFileSync(path.join(dir, 'a.log'), text.join('\n') + '\n')
  fs.writeFileSync(path.join(dir, 'b.log.gz'), zlib.gzipSync(text.join('\n')))
  t.same(await read('a.log'), text)
  t.same(await read('b.log.gz'), text, 'an archive, and a last line without its end')
  t.same(await read('a.log', Buffer.byteLength(text[0]) + 1), [text[0]], 'the beginning of a file')
  t.same(await read('a.log', 0), [])
  t.same(await read('gone.log'), [])
  t.same(await read('b.log'), text, 'it has become an archive meanwhile')
  const packed = fs.readFileSync(path.join(dir, 'b.log.gz'))
  fs.writeFileSync(path.join(dir, 'cut.log.gz'), packed.subarray(0, packed.length / 2))
  await t.rejects(read('cut.log.gz'), { code: 'UC_LOG_IO', message: /cut\.log\.gz cannot be read to its end/ })
  if (hasZstd) {
    execFileSync('zstd', ['-q', path.join(dir, 'a.log')])
    t.same(await read('a.log.zst'), text)
    fs.writeFileSync(path.join(dir, 'bad.log.zst'), 'nothing of the kind')
    await t.rejects(read('bad.log.zst'), { code: 'UC_LOG_IO', message: /bad\.log\.zst/ })
  }
})

t.test('what is asked for', async (t) => {
  const now = at('2026-11-23T12:00:00Z')
  const has = (values, object) => readQuery(values, now).matches(typeof object === 'string' ? object : JSON.stringify(object)) !== undefined
  const one = { level: 30, time: at('2026-11-23T11:00:00Z'), status: 500, deep: { a: [1] }, 'a.b': 'x', msg: 'hello World' }
  for (const values of [{}, { since: '1h' }, { since: '3600s' }, { since: '1d' }, { since: '2026-11-23' }, { since: '2026-11-23T11:00:00Z' }, { until: '30m' }, { level: 'info' }, { level: 'trace' }, { level: '30' }, { grep: 'World' }, { grep: '/world/i' },
    { field: ['status=500'] }, { field: ['deep.a=[1]'] }, { field: ['a.b=x'] }, { field: ['status=500', 'msg=hello World'] }]) t.ok(has(values, one), JSON.stringify(values))
  for (const values of [{ since: '59m' }, { until: '2h' }, { until: '2026-11-23' }, { level: 'warn' }, { level: '31' }, { grep: 'world' }, { grep: '/^hello/' }, { field: ['status=50'] }, { field: ['status=500', 'x=1'] }, { field: ['deep.b.c=1'] }]) t.notOk(has(values, one), JSON.stringify(values))
  t.ok(has({}, 'text') && has({ grep: 'ex' }, 'text'), 'what is no line of ours')
  for (const values of [{ since: '1d' }, { level: 'info' }, { field: ['a=b'] }]) t.notOk(has(values, 'text'))
  for (const values of [{ since: 'x' }, { until: '5y' }, { since: '-1h' }, { level: 'loud' }, { level: '-1' }, { level: '1.5' }, { since: '2026-13' }, { grep: '/(/' }, { field: ['x'] }, { field: ['=x'] }, { lines: 'x' }, { lines: '-1' }]) t.throws(() => readQuery(values, now), new RegExp(Object.keys(values)[0]), JSON.stringify(values))
})

t.test('data that has a level and a time of its own', async (t) => {
  const now = at('2026-11-23T12:00:00Z')
  const text = `{"level":50,"time":${now - 60000},"pid":1,"level":"gold","time":"noon","x":1,"msg":"m"}`
  const has = (values) => readQuery(values, now).matches(text) !== undefined
  for (const values of [{ level: 'error' }, { since: '2m' }, { until: '30s' }, { field: ['level=gold'] }, { field: ['level=50', 'time=noon'] }, { field: ['x=1'] }]) t.ok(has(values), JSON.stringify(values))
  for (const values of [{ level: 'fatal' }, { since: '30s' }, { field: ['level=silver'] }]) t.notOk(has(values), JSON.stringify(values))
  t.match(pretty(text, false), /^\d\d:\d\d:\d\d\.\d{3} ERROR m level=gold time=noon x=1\n$/)
  const numbers = '{"level":50,"time":1700000000000,"level":10,"msg":"m"}'
  t.ok(readQuery({ level: 'error' }, now).matches(numbers))
  for (const [line, level] of [['{"level":30,"time":"2026-11-23T10:00:00Z","msg":"m"}', 30], ['{"msg":"m","level":40}', 40], ['{"level":"high"}', undefined], ['[1]', undefined], ['{"level":30', undefined]]) {
    t.equal(parse(line)?.level, level, line)
  }
})

t.test('nothing moves the cursor of a terminal', async (t) => {
  const tricks = '\x1b[31mEVIL\x9b2J\x07'
  const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/ // eslint-disable-line no-control-regex
  const plainly = '\\x1b[31mEVIL\\x9b2J\\x07'
  t.equal(pretty(`${JSON.stringify({ level: 30, time: tricks, msg: 'm' })}\n`, false), `${plainly} INFO  m\n`)
  t.equal(pretty(`${tricks}\n`, false), `${plainly}\n`, 'nor does what is no line of ours')
  t.match(pretty('{"level":30}\n', false), /INFO/, 'without a time')
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'app-2026-11-23.1.log'), `${JSON.stringify({ level: 30, time: tricks, msg: 'm' })}\n${tricks}\n`)
  const { stdout } = await logs(['--dir', dir])
  t.notMatch(stdout, control)
  t.equal(stdout.split('EVIL').length, 3)
  t.match((await logs(['--dir', dir, '--json'])).stdout, `\n${tricks}\n`, 'as they are')
})

t.test('days are those of the zone that is shown', async (t) => {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'app-2026-11-22.1.log'), line('2026-11-22T20:59:59Z', 30, 'before') + line('2026-11-22T21:00:00Z', 30, 'after'))
  const env = { TZ: 'Europe/Moscow' }
  const { stdout } = await logs(['--dir', dir, '--since', '2026-11-23'], { env })
  t.equal(stdout, '2026-11-23 00:00:00.000 INFO  after\n')
  t.same((await logs(['--dir', dir, '--since', '2026-11-22T23:59:59', '--json'], { env })).messages, ['before', 'after'])
  t.same((await logs(['--dir', dir, '--since', '2026-11-22T21:00:00Z', '--json'], { env })).messages, ['after'])
  t.same((await logs(['--dir', dir, '--since', '2026-11', '--until', '2026-11-23', '--json'], { env })).messages, ['before', 'after'])
})

t.test('who may read and not write', { skip: whyNoOtherUser() }, async (t) => {
  const dir = path.join(tmpdir(t), 'logs')
  const store = open({ log: { dir, reopenOnHup: false } })
  store.log.info('one')
  await store.close()
  fs.writeFileSync(path.join(dir, '.rings/x.ring'), '')
  for (const each of [path.dirname(dir), dir, path.join(dir, '.rings')]) fs.chmodSync(each, 0o755)
  for (const { path } of filesOf(dir)) fs.chmodSync(path, 0o644)
  const nobody = (mode) => {
    fs.chmodSync(path.join(dir, '.rings'), mode)
    return logs(['--dir', dir, '--json'], { how: { uid: 65534, gid: 65534 } })
  }
  for (const mode of [0o755, 0o700]) {
    const { stderr, messages, code } = await nobody(mode)
    t.same([messages, code], [['one'], 0], `rings ${mode.toString(8)}`)
    t.match(stderr, /^the last lines of a process that was killed may be missing: this user may not bring in what is in .*\.rings; .*root may\n$/)
  }
  fs.rmSync(path.join(dir, '.rings/x.ring'))
  t.equal((await nobody(0o755)).stderr, '', 'there is nothing to bring in')
  fs.writeFileSync(path.join(dir, 'file'), '')
  const wrong = await logs(['--dir', path.join(dir, 'file')])
  t.equal(wrong.stderr.match(/ENOTDIR/g).length, 1, 'a failure has its name once')
})

t.test('the command', async (t) => {
  const dir = fill(t)
  const all = await logs(['--dir', dir])
  t.equal(all.code, 0, all.stderr)
  t.match(all.stdout, /^2026-11-21 10:00:00\.000 INFO {2}first\n2026-11-21 11:00:00\.000 ERROR failed\n {4}E: m\n {6}at x\n {6}code=E_X\n/)
  t.match(all.stdout, /second status=500 req=\{"id":7\}\n/)
  t.match(all.stdout, /no line of ours\n/)
  t.notMatch(all.stdout, /not to be read|\x1b/) // eslint-disable-line no-control-regex
  const json = await logs(['--dir', dir, '--json'])
  t.same(json.messages, ['first', 'failed', 'second', 'third', 'no line of ours', 'fourth ä', 'without an end'], 'the lines as they are')
  t.same((await logs(['--dir', dir, '--json', '--since', '2026-11-22T11:00:00Z'])).messages, ['third', 'fourth ä'])
  t.same((await logs(['--dir', dir, '--json', '--level', 'warn'])).messages, ['failed', 'third'])
  t.same((await logs(['--dir', dir, '--json', '--field', 'status=500', '--field', 'req.id=7'])).messages, ['second'])
  t.same((await logs(['--dir', dir, '--json', '--grep', '/^.*(fi|se)/', '--until', '2026-11-22T11:00:00Z'])).messages, ['first', 'second'])
  t.same((await logs(['--dir', dir, '--json', '-n', '3'])).messages, ['no line of ours', 'fourth ä', 'without an end'])
  t.same((await logs(['--dir', dir, '--json', '-n', '2', '--level', 'info'])).messages, ['second', 'third'], 'the last that fit, out of several files')
  t.same((await logs(['--dir', dir, '-n', '0'])).stdout, '')
  t.match((await logs(['--dir', dir], { env: { FORCE_COLOR: '1' } })).stdout, /\x1b\[31mERROR/) // eslint-disable-line no-control-regex
  const wrong = await logs(['--dir', dir, '--since', 'yesterday'])
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /--since is a time such as/)
  const none = await logs(['--dir', path.join(dir, 'none')])
  t.equal(none.code, 1)
  t.match(none.stderr, /there is no directory/)
  const packed = zlib.gzipSync(line('2026-11-20T10:00:00Z', 30, 'zero'.repeat(10000)))
  fs.writeFileSync(path.join(dir, 'app-2026-11-20.1.log.gz'), packed.subarray(0, packed.length - 10))
  const damaged = await logs(['--dir', dir, '--json'])
  t.equal(damaged.code, 1)
  t.match(damaged.stderr, /app-2026-11-20\.1\.log\.gz cannot be read/)
  t.ok(damaged.messages.includes('fourth ä'), 'the rest is shown all the same')
})

t.test('who stops reading is no failure', async (t) => {
  const dir = tmpdir(t)
  fs.writeFileSync(path.join(dir, 'app-2026-11-23.1.log'), line('2026-11-23T10:00:00Z', 30, 'x'.repeat(200)).repeat(20000))
  const { stderr, code } = await logs(['--dir', dir], { onStdout: (_, child) => child.stdout.destroy() })
  t.equal(stderr, '')
  t.equal(code, 0)
})

t.test('follow, over rotation and compression', async (t) => {
  const dir = tmpdir(t)
  const file = (n, end = '') => path.join(dir, `app-2026-11-23.${n}.log${end}`)
  // As the log does: under its name an archive is whole.
  const archive = (n, bytes) => {
    fs.writeFileSync(path.join(dir, 'archive'), bytes)
    fs.renameSync(path.join(dir, 'archive'), file(n, '.gz'))
  }
  const add = (n, msg) => fs.appendFileSync(file(n), line('2026-11-23T10:00:00Z', 30, msg))
  for (let i = 0; i < 15; i++) add(1, `old ${i}`)
  let seen = ''
  const over = logs(['--dir', dir, '--follow', '--json'], { onStdout: (text) => { seen = text } })
  const has = (text) => until(() => seen.includes(`"msg":"${text}"`), text)
  await has('old 14')
  t.notMatch(seen, /"old 4"/, 'it begins with the last ten')
  add(1, 'new 1')
  await has('new 1')
  fs.appendFileSync(file(1), '{"level":30,"time":1,"msg":"in two ')
  fs.appendFileSync(file(1), 'pieces"}\n')
  await has('in two pieces')
  add(1, 'last of its file')
  add(2, 'next file')
  await has('next file')
  // The next rotation is over, and the file packed, before it is looked at.
  add(2, 'before it was packed')
  archive(3, zlib.gzipSync(line('2026-11-23T10:00:00Z', 30, 'only in an archive')))
  add(4, 'newest')
  archive(2, zlib.gzipSync(fs.readFileSync(file(2))))
  fs.unlinkSync(file(2))
  await has('newest')
  // An archive that is damaged is told, and not the end.
  archive(5, 'no archive')
  add(6, 'and the last')
  await has('and the last')
  fs.rmSync(dir, { recursive: true })
  const { messages, stderr, code } = await over
  t.match(stderr, /5\.log\.gz cannot be read.*\n.*cannot be followed any more/)
  t.equal(code, 1)
  t.same(messages, [...Array.from({ length: 10 }, (_, i) => `old ${i + 5}`), 'new 1', 'in two pieces', 'last of its file', 'next file', 'before it was packed', 'only in an archive', 'newest', 'and the last'],
    'each line once and in order')
})

t.test('follow from a time on, and over a file that was replaced', async (t) => {
  const dir = tmpdir(t)
  const file = path.join(dir, 'app-2026-11-23.1.log')
  const add = (time, msg) => fs.appendFileSync(file, line(time, 30, msg))
  for (let i = 0; i < 5; i++) add('2026-11-23T10:00:00Z', `old ${i}`)
  for (let i = 0; i < 20; i++) add('2026-11-23T11:00:00Z', `since ${i}`)
  let seen = ''
  const over = logs(['--dir', dir, '--follow', '--json', '--since', '2026-11-23T10:30:00Z'], { onStdout: (text) => { seen = text } })
  const has = (text) => until(() => seen.includes(`"msg":"${text}"`), text)
  await has('since 19')
  // What `create` of logrotate does: the file is moved away, and there is another one.
  const moved = path.join(dir, 'moved.1')
  fs.renameSync(file, moved)
  fs.appendFileSync(moved, line('2026-11-23T11:00:00Z', 30, 'still in the moved one'))
  await has('still in the moved one')
  fs.appendFileSync(moved, line('2026-11-23T11:00:00Z', 30, 'its last'))
  add('2026-11-23T11:00:00Z', 'in the new one')
  await has('in the new one')
  add('2026-11-23T11:00:00Z', 'and on')
  await has('and on')
  fs.rmSync(dir, { recursive: true })
  const { messages } = await over
  t.same(messages, [...Array.from({ length: 20 }, (_, i) => `since ${i}`), 'still in the moved one', 'its last', 'in the new one', 'and on'])
})

t.test('a follower takes up where the reading ends', async (t) => {
  const dir = tmpdir(t)
  const file = path.join(dir, 'app-2026-11-23.1.log')
  const other = path.join(dir, 'web-2026-11-23.1.log')
  fs.writeFileSync(file, 'one\ntwo\nthr')
  const files = filesOf(dir)
  const follower = new Follower(dir, undefined, files)
  t.equal(follower.beginOf(files[0]), 8, 'after the last whole line')
  const more = async () => {
    const lines = []
    for await (const each of follower.more()) lines.push(each)
    return lines
  }
  t.same(await more(), [])
  fs.appendFileSync(file, 'ee\nfour\n')
  fs.writeFileSync(other, 'of another log\n')
  t.same(await more(), ['three', 'four', 'of another log'])
  fs.appendFileSync(other, 'ä'.repeat(200000) + '\n')
  t.same(await more(), ['ä'.repeat(200000)])
  fs.appendFileSync(file, 'torn')
  t.same(await more(), [])
  fs.truncateSync(file, 8)
  t.same(await more(), [], 'an owner that takes over cuts off what is not whole')
  fs.appendFileSync(file, 'five\n')
  t.same(await more(), ['five'])
  fs.rmSync(file)
  t.same(await more(), [])
  follower.close()
})
