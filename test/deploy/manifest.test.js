'use strict'

// The manifest: what the host refuses of it, and the index of hashes that it is
// made with here.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const t = require('tap')
const { parse, textOf } = require('../../deploy/agent/host/manifest')
const { survey, manifestFor } = require('../../deploy/files/manifest')

const HASH = 'a'.repeat(64)
const file = (name, more = {}) => [name, more.size ?? 1, more.mode ?? 0, more.hash ?? HASH]
const text = (files, links = []) => textOf({ files, links }).text

t.test('a sound one', async t => {
  const made = textOf({ files: [file('a/b'), file('c😀'), file('d')], links: [['a/x', '../d'], ['l', 'a']], install: { install: ['npm', 'ci'] }, runtime: 'node' })
  const read = parse(made.text)
  t.equal(read.hash, made.hash)
  t.same(read.links, [['a/x', '../d'], ['l', 'a']])
  t.not(textOf({ files: [file('a', { mode: 1 })], links: [] }).hash, textOf({ files: [file('a')], links: [] }).hash, 'the mode counts')
})

t.test('evil ones', async t => {
  const evil = {
    absolute: [[file('/etc/passwd')]],
    upwards: [[file('../x')]],
    'upwards within': [[file('a/../../x')]],
    dot: [[file('./x')]],
    'an empty name': [[file('a//b')]],
    'no name': [[file('')]],
    'a zero byte': [[file('a\0b')]],
    'a long name': [[file('é'.repeat(128))]],
    'a long path': [[file('a/'.repeat(1600) + 'b')]],
    'no text': [[file(5)]],
    twice: [[file('a'), file('a')]],
    'not in order': [[file('b'), file('a')]],
    'below a file': [[file('a'), file('a/b')]],
    'below a link': [[file('a/b')], [['a', 'c']]],
    'a file and a link': [[file('a')], [['a', 'b']]],
    'a link to the root': [[], [['a', '/']]],
    'a link upwards': [[], [['a', '..']]],
    'a link further up': [[], [['a/b', '../../c']]],
    'a link through a link': [[], [['a/b', '..'], ['c', 'a/b/../x']]],
    'a link to nowhere': [[], [['a', '']]],
    'a negative size': [[file('a', { size: -1 })]],
    'half a byte': [[file('a', { size: 1.5 })]],
    setuid: [[file('a', { mode: 0o4755 })]],
    'no hash': [[file('a', { hash: 'x'.repeat(64) })]],
    'a short hash': [[file('a', { hash: 'a' })]],
    'no list': [['a']]
  }
  for (const [name, [files, links]] of Object.entries(evil)) {
    t.throws(() => parse(text(files, links)), { code: 'UC_DEPLOY_MANIFEST' }, name)
  }
})

t.test('damaged ones', async t => {
  const sound = text([file('a')])
  for (const bad of ['', '{', 'null', '[]', '{"version":2}', sound.replace('"a",1', '"a",2'), sound.replace('"hash":"', '"hash":"0'), sound.slice(0, -5)]) {
    t.throws(() => parse(bad), { code: 'UC_DEPLOY_MANIFEST' }, bad.slice(0, 40))
  }
})

function folder (t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
  t.teardown(() => fs.rmSync(dir, { recursive: true, force: true }))
  const source = path.join(dir, 'src')
  fs.mkdirSync(source)
  return { dir, source, include: ['**'], ignore: [] }
}

const sha = text => crypto.createHash('sha256').update(text).digest('hex')
const old = new Date(Date.now() - 3600_000)

// utimes sets mtime; ctime is the kernel's, so an entry is safe only after a while.
async function settled (file) {
  const deadline = Date.now() + 10_000
  while (Date.now() - fs.statSync(file).ctimeMs <= 2000) {
    if (Date.now() > deadline) throw new Error('the clock stands still')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

t.test('hashes are taken from the index only where nothing has changed', async t => {
  const config = folder(t)
  const put = (name, text) => fs.writeFileSync(path.join(config.source, name), text)
  for (const name of ['a', 'b', 'c', 'empty']) put(name, name === 'empty' ? '' : name)
  const first = await survey(config)
  t.equal(first.read.read, 4)
  t.same(first.files, [['a', 1, 0, sha('a')], ['b', 1, 0, sha('b')], ['c', 1, 0, sha('c')], ['empty', 0, 0, sha('')]])
  t.equal((await survey(config)).read.read, 4, 'they were changed too shortly before to be remembered')
  await settled(path.join(config.source, 'empty'))
  await survey(config)
  t.equal((await survey(config)).read.read, 0, 'now they are')

  put('b', 'B')
  fs.utimesSync(path.join(config.source, 'b'), old, old)
  const again = await survey(config)
  t.equal(again.files[1][3], sha('B'), 'another content of the same size and an old time is seen')
  t.equal(again.read.read, 1)

  fs.writeFileSync(path.join(config.dir, '.undercroft/hashes.json'), '{"version":1,"files":')
  t.equal((await survey(config)).files[1][3], sha('B'), 'a damaged index costs only time')
  fs.rmSync(path.join(config.source, 'a'))
  t.equal((await survey(config)).files.length, 3)
})

t.test('many and large files are read in threads', async t => {
  const config = folder(t)
  for (let i = 0; i < 600; i++) fs.writeFileSync(path.join(config.source, `f${i}`), `content ${i}`)
  fs.writeFileSync(path.join(config.source, 'large'), Buffer.alloc(5_000_001, 7))
  const { files, bytes } = await survey(config)
  t.equal(files.length, 601)
  t.equal(files.find(([name]) => name === 'large')[3], sha(Buffer.alloc(5_000_001, 7)))
  t.equal(files.find(([name]) => name === 'f599')[3], sha('content 599'))
  t.equal(bytes, files.reduce((sum, [, size]) => sum + size, 0))
})

t.test('a manifest says what is installed and on what', async t => {
  const tree = { files: [file('a')], links: [] }
  const hash = view => manifestFor(tree, view).hash
  const plain = hash({ runtime: { name: 'node' } })
  t.not(hash({ runtime: { name: 'bun' } }), plain)
  t.not(hash({ runtime: { name: 'node' }, install: { command: ['npm', 'ci'] } }), plain)
  t.not(hash({ runtime: { name: 'node' }, build: { command: 'make', where: 'there' } }), plain)
  t.equal(hash({ runtime: { name: 'node' }, build: { command: 'make', where: 'here' } }), plain)
})
