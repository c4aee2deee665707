'use strict'
// deploy/ssh/known-hosts.js against what ssh-keygen writes and finds.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFileSync, spawnSync } = require('node:child_process')
const t = require('tap')
const { fingerprint, judge, lookUp, matches, parse, read } = require('../../deploy/ssh/known-hosts')
const { HostKeyCheck } = require('../../deploy/ssh/host-key')
const { makeKey } = require('./parts/sshd')

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'uc-'))
t.teardown(() => fs.rmSync(dir, { recursive: true }))

const names = ['one', 'two', 'three', 'rsa', 'ecdsa']
const keys = Object.fromEntries(names.map(name => {
  const type = ['rsa', 'ecdsa'].includes(name) ? name : 'ed25519'
  const text = fs.readFileSync(`${makeKey(path.join(dir, name), { type })}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
  return [name, { text, key: Buffer.from(text.split(' ')[1], 'base64') }]
}))
const { one, two, three, rsa, ecdsa } = keys

const statusOf = (text, host, port, key) => judge(lookUp(parse(text).entries, host, port), key.key).status

t.test('plain lines', async t => {
  const text = `# comment\n\nalpha,beta ${one.text} somebody@somewhere\r\n  10.0.0.1\t${two.text}\n`
  t.equal(statusOf(text, 'alpha', 22, one), 'known')
  t.equal(statusOf(text, 'BETA', 22, one), 'known', 'names of hosts have no case')
  t.equal(statusOf(text, '10.0.0.1', 22, two), 'known')
  t.equal(statusOf(text, 'alpha', 22, two), 'changed')
  t.equal(statusOf(text, 'gamma', 22, one), 'unknown')
  t.equal(statusOf(text, 'alphabet', 22, one), 'unknown')
  t.equal(lookUp(parse(text).entries, 'beta', 22).keys[0].line, 3)
})

t.test('ports', async t => {
  const text = `[alpha]:2222 ${one.text}\nbeta ${two.text}\n`
  t.equal(statusOf(text, 'alpha', 2222, one), 'known')
  t.equal(statusOf(text, 'alpha', 22, one), 'unknown')
  t.equal(statusOf(text, 'alpha', 2223, one), 'unknown')
  t.equal(statusOf(text, 'beta', 2222, two), 'known', 'a line without a port is for each that has none of its own')
  t.equal(statusOf(`${text}[beta]:2222 ${one.text}\n`, 'beta', 2222, two), 'changed')
})

t.test('patterns', async t => {
  for (const [pattern, name, wanted] of [
    ['*.example.com', 'a.example.com', true], ['*.example.com', 'example.com', false],
    ['*.example.com,!bad.example.com', 'bad.example.com', false], ['!bad.example.com,*', 'bad.example.com', false],
    ['!bad', 'good', false], ['ho?t', 'host', true], ['ho?t', 'hot', false], ['*', 'anything', true],
    ['[10.0.0.*]:2222', '[10.0.0.7]:2222', true], ['10.0.0.1', '10x0y0z1', false], ['a+b', 'aab', false]
  ]) t.equal(matches(pattern, name), wanted, `${pattern} ${name}`)
})

t.test('hashed lines, as ssh-keygen -H writes them', async t => {
  const file = path.join(dir, 'hashed')
  fs.writeFileSync(file, `alpha,beta ${one.text}\n[gamma]:2222 ${two.text}\n`)
  execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' })
  const text = fs.readFileSync(file, 'utf8')
  t.notMatch(text, /alpha|gamma/)
  t.equal(statusOf(text, 'alpha', 22, one), 'known')
  t.equal(statusOf(text, 'beta', 22, one), 'known')
  t.equal(statusOf(text, 'gamma', 2222, two), 'known')
  t.equal(statusOf(text, 'gamma', 22, two), 'unknown')
  t.equal(statusOf(text, 'alpha', 22, two), 'changed')
  t.equal(matches('|2|AAAA|AAAA', 'alpha'), false, 'another version of hashes')
  t.equal(matches('|1|AAAA', 'alpha'), false)
})

t.test('revoked keys are refused whatever else is said', async t => {
  const text = `alpha ${one.text}\n@revoked * ${one.text}\nalpha ${two.text}\n@cert-authority *.example.com ${three.text}\n`
  t.equal(statusOf(text, 'alpha', 22, one), 'revoked')
  t.equal(statusOf(text, 'alpha', 2222, one), 'revoked')
  t.equal(statusOf(text, 'alpha', 22, two), 'known')
  t.equal(statusOf(text, 'a.example.com', 22, three), 'unknown', 'an authority is not a host')
})

t.test('lines that cannot be read are told and skipped', async t => {
  const text = `alpha\nbeta ssh-ed25519\ngamma ssh-rsa ${one.text.split(' ')[1]}\n@other x ${one.text}\nalpha ${one.text}\n`
  const { entries, bad } = parse(text)
  t.equal(entries.length, 1)
  t.same(bad.map(({ line }) => line), [1, 2, 3, 4])
})

t.test('fingerprints are those of ssh-keygen', async t => {
  for (const name of names) {
    const said = execFileSync('ssh-keygen', ['-lf', path.join(dir, `${name}.pub`)], { encoding: 'utf8' }).split(' ')[1]
    t.equal(fingerprint(keys[name].key), said)
  }
})

t.test('names agree with ssh-keygen -F', async t => {
  const file = path.join(dir, 'many')
  fs.writeFileSync(file, `alpha,beta ${one.text}\n*.example.com,!bad.example.com ${two.text}\n[gamma]:2222 ${three.text}\nho?t ${rsa.text}\n`)
  const { entries } = read([file])
  for (const name of ['alpha', 'beta', 'a.example.com', 'bad.example.com', 'gamma', '[gamma]:2222', 'host', 'hot', 'nobody']) {
    const { stdout } = spawnSync('ssh-keygen', ['-F', name, '-f', file], { encoding: 'utf8' })
    const theirs = stdout.split('\n').filter(line => line && !line.startsWith('#')).length
    t.equal(entries.filter(entry => matches(entry.names, name)).length, theirs, name)
  }
})

t.test('what people are told', async t => {
  const file = path.join(dir, 'told')
  fs.writeFileSync(file, `alpha ${one.text}\n@revoked * ${three.text}\n@cert-authority *.example.com ${rsa.text}\n`)
  const told = (host, key) => new HostKeyCheck({ port: 22, knownHosts: file, ...host }).verify(key.key)

  t.equal(told({ host: 'alpha' }, one), null)
  const unknown = told({ host: 'beta', port: 2222 }, two)
  t.match(unknown, { code: 'UC_DEPLOY_HOST_KEY', details: { status: 'unknown', fingerprint: fingerprint(two.key) } })
  t.ok(unknown.hint.includes(`\n[beta]:2222 ${two.text}`), 'the line to add, whole')
  t.match(unknown.hint, /ssh-keygen -lf .*ed25519_key\.pub/)
  // The line that is shown is one that is understood.
  fs.appendFileSync(file, `${unknown.details.line}\n`)
  t.equal(told({ host: 'beta', port: 2222 }, two), null)

  const changed = told({ host: 'alpha' }, two)
  t.match(changed, { code: 'UC_DEPLOY_HOST_KEY', message: /WARNING.*CHANGED/, details: { status: 'changed' } })
  t.ok(changed.message.includes(fingerprint(one.key)) && changed.message.includes(`${file}:1`), 'what was known, and where')
  t.match(changed.hint, /ssh-keygen -R 'alpha'/)
  t.match(told({ host: 'alpha' }, three), { message: /revoked/, details: { status: 'revoked' } })
  t.match(told({ host: 'a.example.com' }, one).hint, /certificates of hosts are not supported/)

  t.equal(told({ host: 'x', hostKey: fingerprint(one.key) }, one), null)
  t.equal(told({ host: 'x', hostKey: [fingerprint(two.key), one.text] }, one), null)
  t.match(told({ host: 'alpha', hostKey: fingerprint(two.key) }, one), { details: { status: 'pinned' } }, 'a pin outweighs known_hosts')
})

t.test('the algorithms of known keys are asked for first', async t => {
  const file = path.join(dir, 'order')
  fs.writeFileSync(file, `alpha ${rsa.text}\nbeta ${ecdsa.text}\n`)
  const first = host => new HostKeyCheck({ port: 22, knownHosts: file, ...host }).algorithms
  t.same(first({ host: 'alpha' }).slice(0, 2), ['rsa-sha2-512', 'rsa-sha2-256'])
  t.equal(first({ host: 'beta' })[0], 'ecdsa-sha2-nistp256')
  t.equal(first({ host: 'gamma' })[0], 'ssh-ed25519')
  t.equal(first({ host: 'gamma', hostKey: rsa.text })[0], 'rsa-sha2-512')
  t.notOk(first({ host: 'alpha' }).includes('ssh-rsa'), 'no SHA-1')
})
