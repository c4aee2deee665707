'use strict'
// Sessions over real sshd: every way to prove who one is, keys of hosts, jump
// hosts, dead and broken ones; and an SSH server of our own that misbehaves.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { execFileSync, spawn } = require('node:child_process')
const t = require('tap')
const { openSession } = require('../../deploy/session')
const { runtimes } = require('../runtimes')
const { startHosts, makeKey, writeKnownHosts } = require('./parts/sshd')
const { faulty } = require('./parts/faulty')
const { files } = require('./parts/ops')

const exec = process.execPath
const bun = runtimes().find(runtime => runtime.kind === 'bun')

t.setTimeout(120_000)
const view = (host, more) => ({ folder: host.folder, runtime: { path: exec }, ...more })

async function open (t, host, options = {}, config = {}) {
  const session = await openSession(host, view(host, config), { files, ...options })
  t.teardown(() => session.close())
  return session
}

async function until (what, condition) {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not come to be: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

function listen (t, onSocket) {
  const sockets = new Set()
  const server = net.createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket?.(socket)
  })
  t.teardown(() => new Promise(resolve => {
    for (const socket of sockets) socket.destroy()
    server.close(resolve)
  }))
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
}

function askpass (dir) {
  fs.writeFileSync(path.join(dir, 'askpass'), '#!/bin/sh\necho never asked\n', { mode: 0o755 })
  return path.join(dir, 'askpass')
}

t.test('real servers', async t => {
  const hosts = await startHosts(t, 3)
  const [one, two, three] = hosts

  await t.test('a session, on Node and Bun', async t => {
    for (const runtime of [exec, bun.exec].filter(Boolean)) {
      const session = await open(t, one, { lock: true, action: 'start', who: 'anna' }, { runtime: { path: runtime } })
      t.same(await session.call('echo', { a: 'é' }), { a: 'é' })
      t.match(await session.call('lock.holder'), { who: 'anna' })
      let bytes = 0
      await session.call('source', { bytes: 3_000_000, size: 200_000 }, { onChunk: chunk => { bytes += chunk.length } })
      t.equal(bytes, 3_000_000)
      t.equal(await session.call('sink', {}, { payload: [Buffer.alloc(3_000_000)] }), 3_000_000)
      const streams = await Promise.all([session.openStream(), session.openStream()])
      t.same(await Promise.all(streams.map((stream, i) => stream.call('echo', { i }))), [{ i: 0 }, { i: 1 }])
      await session.close()
      await until('the end of what it started', () => one.sessions().length === 0)
    }
  })

  await t.test('a folder with every character', async t => {
    const folder = path.join(hosts.dir, "it's a \"folder\" $HOME `id` \\ ; é\n#!")
    const session = await openSession(one, { folder, runtime: { path: exec } }, { files, lock: true })
    await session.call('audited', { n: 1 })
    await session.close()
    t.same(fs.readdirSync(path.join(folder, '.deploy')).sort(), ['audit.log', 'lock'])
  })

  await t.test('keys with a passphrase', async t => {
    const key = makeKey(path.join(hosts.dir, 'locked'), { passphrase: 'open sesame' })
    fs.appendFileSync(path.join(hosts.dir, 'authorized_keys'), fs.readFileSync(`${key}.pub`))
    const asked = []
    const answers = ['wrong', 'open sesame']
    // The time that people take is not the host's.
    const ask = async question => {
      asked.push(question)
      await new Promise(resolve => setTimeout(resolve, 6500))
      return answers.shift()
    }
    await Promise.all([one, two].map(host => open(t, { ...host, key, connectTimeoutMs: 12_000 }, { ask })))
    t.equal(asked.length, 2, 'asked once for both hosts, and again after a wrong one')
    t.match(asked, [/^Passphrase of .*locked: $/, /^That was not it/])

    const copy = makeKey(path.join(hosts.dir, 'copy'), { passphrase: 'another' })
    process.env.UNDERCROFT_KEY_PASSPHRASE = 'no'
    t.teardown(() => { delete process.env.UNDERCROFT_KEY_PASSPHRASE })
    await t.rejects(open(t, { ...one, key: copy }), { code: 'UC_DEPLOY_AUTH', host: 'host1', message: /copy.*passphrase is wrong/ })
    fs.appendFileSync(path.join(hosts.dir, 'authorized_keys'), fs.readFileSync(`${copy}.pub`))
    process.env.UNDERCROFT_KEY_PASSPHRASE = 'another'
    await open(t, { ...one, key: copy })
    delete process.env.UNDERCROFT_KEY_PASSPHRASE
    const third = makeKey(path.join(hosts.dir, 'third'), { passphrase: 'x' })
    if (!process.stdin.isTTY) await t.rejects(open(t, { ...one, key: third }), { code: 'UC_DEPLOY_AUTH', message: /no terminal/, hint: /ssh-add/ })
  })

  await t.test('other keys', async t => {
    for (const type of ['rsa', 'ecdsa']) {
      const key = makeKey(path.join(hosts.dir, type), { type })
      await t.rejects(open(t, { ...one, key }), { code: 'UC_DEPLOY_AUTH', host: 'host1', message: new RegExp(`does not let .* in; tried: .*/${type}`), hint: /authorized_keys/ })
      fs.appendFileSync(path.join(hosts.dir, 'authorized_keys'), fs.readFileSync(`${key}.pub`))
      await open(t, { ...one, key })
    }
    await t.rejects(open(t, { ...one, key: `${hosts.userKey}.pub` }), { code: 'UC_DEPLOY_AUTH', message: /public key/ })
    await t.rejects(open(t, { ...one, key: '/no/such/key' }), { code: 'UC_DEPLOY_AUTH', message: /\/no\/such\/key.*ENOENT/ })
    await t.rejects(open(t, { ...one, key: __filename }), { code: 'UC_DEPLOY_AUTH', message: /cannot be used/ })
  })

  await t.test('an agent', async t => {
    const socket = path.join(hosts.dir, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    t.teardown(() => new Promise(resolve => agent.once('exit', resolve).kill()))
    await until('the agent', () => fs.existsSync(socket))
    const noKey = { ...one, key: makeKey(path.join(hosts.dir, 'unknown')), agent: socket }
    await t.rejects(open(t, noKey), { code: 'UC_DEPLOY_AUTH', message: /tried: .*unknown, ssh-agent/ })
    execFileSync('ssh-add', ['-q', hosts.userKey], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
    await open(t, noKey)
    await t.rejects(open(t, { ...noKey, agent: false }), { code: 'UC_DEPLOY_AUTH' })

    // Servers hang up after six keys: the one that is named goes first.
    for (let i = 0; i < 7; i++) execFileSync('ssh-add', ['-q', makeKey(path.join(hosts.dir, `many${i}`))], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
    const named = makeKey(path.join(hosts.dir, 'named'), { passphrase: 'never asked' })
    fs.appendFileSync(path.join(hosts.dir, 'authorized_keys'), fs.readFileSync(`${named}.pub`))
    execFileSync('ssh-add', ['-q', named], { env: { ...process.env, SSH_AUTH_SOCK: socket, SSH_ASKPASS: askpass(hosts.dir), SSH_ASKPASS_REQUIRE: 'force' } })
    await open(t, { ...one, key: named, agent: socket }, { ask: () => t.fail('asked') })
    execFileSync('ssh-add', ['-q', '-d', hosts.userKey], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
    await t.rejects(open(t, noKey), { code: 'UC_DEPLOY_AUTH', message: /too many keys/, hint: /agent: false/ })
    await t.rejects(open(t, { ...noKey, agent: '/no/such/agent' }), { code: 'UC_DEPLOY_AUTH' })
  })

  await t.test('keys of hosts', async t => {
    const file = path.join(hosts.dir, 'known')
    fs.writeFileSync(file, '')
    const unknown = await t.rejects(open(t, { ...one, knownHosts: file }), { code: 'UC_DEPLOY_HOST_KEY', host: 'host1', stage: 'connect' })
    t.ok(unknown.hint.includes(`[127.0.0.1]:${one.port} ${one.publicKey}`))
    fs.writeFileSync(file, `${unknown.details.line}\n`)
    await open(t, { ...one, knownHosts: file })
    await t.rejects(open(t, { ...two, knownHosts: file }), { code: 'UC_DEPLOY_HOST_KEY', details: { status: 'unknown' } })
    writeKnownHosts(file, [{ ...one, publicKey: two.publicKey }])
    await t.rejects(open(t, { ...one, knownHosts: file }), { code: 'UC_DEPLOY_HOST_KEY', message: /CHANGED/ })
    await open(t, { ...one, knownHosts: file, hostKey: one.fingerprint })
    await t.rejects(open(t, { ...one, hostKey: two.fingerprint }), { code: 'UC_DEPLOY_HOST_KEY', details: { status: 'pinned' } })
    execFileSync('ssh-keygen', ['-q', '-H', '-f', hosts.knownHosts], { stdio: 'ignore' })
    await open(t, one)
  })

  await t.test('jump hosts', async t => {
    const hop = ({ host, port, user }) => ({ host, port, user })
    const session = await open(t, { ...three, jump: hop(one) })
    t.same(await session.call('echo', { a: 1 }), { a: 1 })
    const chain = await open(t, { ...three, jump: [hop(one), hop(two)] })
    t.same(await chain.call('echo', { a: 1 }), { a: 1 })
    await t.rejects(open(t, { ...three, jump: Array(9).fill(hop(one)) }), { code: 'UC_DEPLOY_CONNECT', message: /9 hosts on the way/ })

    const file = path.join(hosts.dir, 'only-three')
    writeKnownHosts(file, [three])
    await t.rejects(open(t, { ...three, knownHosts: file, jump: hop(one) }), { code: 'UC_DEPLOY_HOST_KEY', message: new RegExp(`:${one.port} is not known`) })
    writeKnownHosts(file, [one])
    await t.rejects(open(t, { ...three, knownHosts: file, jump: hop(one) }), { code: 'UC_DEPLOY_HOST_KEY', message: new RegExp(`:${three.port} is not known`) })
    await t.rejects(open(t, { ...three, port: 1, jump: hop(one) }), { code: 'UC_DEPLOY_CONNECT', host: 'host3', message: /jump host .* does not reach 127\.0\.0\.1:1/ })
    await t.rejects(open(t, { ...three, jump: { ...hop(one), port: 1 } }), { code: 'UC_DEPLOY_CONNECT', message: /jump host .*:1 refuses/ })

    const call = session.call('hold', { file: path.join(hosts.dir, 'x') })
    call.catch(() => {})
    one.drop()
    await t.rejects(call, { code: 'UC_DEPLOY_LOST', host: 'host3' }, 'lost on the way')
  })

  await t.test('a connection that is cut: the agent undoes, the next one waits for it', async t => {
    const file = path.join(hosts.dir, 'undone')
    const session = await open(t, two, { lock: true })
    const call = session.call('hold', { file, stage: 'upload' }, { onEvent: event => { if (event.held) two.drop() } })
    await t.rejects(call, { code: 'UC_DEPLOY_LOST', host: 'host2', stage: 'upload', hint: /same command again/ })
    const again = await open(t, two, { lock: true })
    t.match(JSON.parse(fs.readFileSync(file, 'utf8')), { lost: true })
    await again.close()
  })

  await t.test('a connection that is silent is lost', async t => {
    const session = await open(t, { ...two, keepaliveMs: 1000 })
    const call = session.call('hold', { file: path.join(hosts.dir, 'y') }, {
      onEvent: event => { if (event.held) two.sessions().forEach(pid => process.kill(pid, 'SIGSTOP')) }
    })
    await t.rejects(call, { code: 'UC_DEPLOY_LOST', message: /Keepalive/ })
    two.drop()
  })

  await t.test('a server that ends during a call', async t => {
    const session = await open(t, three)
    const call = session.call('hold', { file: path.join(hosts.dir, 'z') })
    call.catch(() => {})
    await three.stop()
    await t.rejects(call, { code: 'UC_DEPLOY_LOST' })
    await t.rejects(open(t, three), { code: 'UC_DEPLOY_CONNECT', host: 'host3', message: /refuses/ })
  })
})

t.test('configurations of servers', async t => {
  const force = what => ({ config: [`ForceCommand ${what}`] })

  await t.test('a login that prints is endured', async t => {
    const [host] = await startHosts(t, 1, force('echo Welcome; echo; eval "$SSH_ORIGINAL_COMMAND"'))
    const session = await open(t, host)
    t.same(await session.call('echo', { a: 1 }), { a: 1 })
  })

  await t.test('one that does something else is told', async t => {
    const [host] = await startHosts(t, 1, force('echo This account is for backups only.'))
    await t.rejects(open(t, host), { code: 'UC_DEPLOY_RUNTIME', host: 'host1', lines: /backups only/ })
    const [loud] = await startHosts(t, 1, force('yes'))
    await t.rejects(open(t, loud), { code: 'UC_DEPLOY_PROTOCOL', message: /not the agent/, hint: /login script/ })
  })

  await t.test('few sessions, no forwarding', async t => {
    const [host] = await startHosts(t, 1, { config: ['MaxSessions 1', 'AllowTcpForwarding no'] })
    const session = await open(t, host)
    await t.rejects(session.openStream(), { code: 'UC_DEPLOY_CONNECT', hint: /MaxSessions/ })
    t.same(await session.call('echo', { a: 1 }), { a: 1 }, 'the session itself goes on')
    await t.rejects(open(t, { ...host, jump: { host: host.host, port: host.port, user: host.user } }),
      { code: 'UC_DEPLOY_CONNECT', hint: /AllowTcpForwarding/ })
  })

  await t.test('RSA host keys', async t => {
    const [host] = await startHosts(t, 1, { keyType: 'rsa' })
    t.same(await (await open(t, host)).call('echo', { a: 1 }), { a: 1 })
  })
})

t.test('what is no SSH server', async t => {
  const host = (port, connectTimeoutMs = 20_000) => ({ name: 'dead', host: '127.0.0.1', port, user: 'x', key: __filename, agent: false, knownHosts: '/nonexistent', connectTimeoutMs, folder: '/tmp/x' })
  await t.rejects(open(t, host(1)), { code: 'UC_DEPLOY_CONNECT', host: 'dead', stage: 'connect', message: /127\.0\.0\.1:1 refuses/, hint: /sshd/ })
  await t.rejects(open(t, { ...host(22), host: 'host.invalid' }), { code: 'UC_DEPLOY_CONNECT', message: /host\.invalid/ })
  await t.rejects(open(t, host(await listen(t), 400)), { code: 'UC_DEPLOY_TIMEOUT', message: /handshake.*0\.4 s/ }, 'silent')
  await t.rejects(open(t, host(await listen(t, socket => socket.end()))), { code: 'UC_DEPLOY_CONNECT', message: /closed the connection/ })
  await t.rejects(open(t, host(await listen(t, socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))), { code: /UC_DEPLOY_(PROTOCOL|CONNECT)/ })
  await t.rejects(open(t, host(await listen(t, socket => socket.write('SSH-2.0-x\r\n')), 400)), { code: 'UC_DEPLOY_TIMEOUT' }, 'a banner and no more')
  await t.rejects(open(t, host(await listen(t, socket => socket.write(`SSH-2.0-x\r\n${'\0\0\0\x0c\x0a\x14'.padEnd(100, 'x')}`)), 400)), { code: /UC_DEPLOY_(PROTOCOL|TIMEOUT)/ })
  await t.rejects(open(t, host(await listen(t, socket => socket.resetAndDestroy()))), { code: 'UC_DEPLOY_CONNECT' })
  const controller = new AbortController()
  const opening = open(t, host(await listen(t, () => controller.abort())), { signal: controller.signal })
  await t.rejects(opening, { code: 'UC_DEPLOY_CANCELLED' }, 'cancelled while it waits')
})

t.test('a server that misbehaves', async t => {
  const hello = '\nundercroft-agent-1\n'
  const frame = json => {
    const text = Buffer.from(JSON.stringify(json))
    const head = Buffer.alloc(8)
    head.writeUInt32BE(text.length, 0)
    return Buffer.concat([head, text])
  }
  const greeting = Buffer.concat([Buffer.from(hello), frame({ hello: { protocol: 1, facts: { now: 0 }, ops: [] } })])
  const rejected = async (behaviour, wanted, { startMs, ...more } = {}) => {
    const host = await faulty(t, behaviour)
    return t.rejects(open(t, { ...host, ...more }, { startMs }), wanted)
  }
  const lost = async (behaviour, wanted, options) => {
    const host = await faulty(t, { ...behaviour, onExec: channel => { channel.write(greeting); behaviour.onExec(channel) } })
    const session = await open(t, host, options)
    await t.rejects(session.call('anything'), wanted)
  }

  await rejected({ refuseAuth: true }, { code: 'UC_DEPLOY_AUTH' })
  await rejected({ onReady: client => client.end() }, { code: /UC_DEPLOY_(LOST|CONNECT)/ })
  await rejected({ refuseSession: true }, { code: 'UC_DEPLOY_CONNECT', message: /refuses to run/ })
  await rejected({ refuseExec: true }, { code: 'UC_DEPLOY_CONNECT', message: /refuses to run/ })
  await rejected({ ignoreExec: true }, { code: 'UC_DEPLOY_TIMEOUT', message: /did not start a command/ }, { connectTimeoutMs: 6000 })
  await rejected({ onExec () {} }, { code: 'UC_DEPLOY_TIMEOUT', message: /agent did not start within 0\.5 s/ }, { startMs: 500 })
  await rejected({ onExec: channel => channel.close() }, { code: 'UC_DEPLOY_LOST' })
  await rejected({ onExec: channel => { channel.exit(3); channel.end() } }, { code: 'UC_DEPLOY_RUNTIME', message: /exit code 3/ })
  await rejected({ onExec: channel => channel.write(`${hello}${'\xff'.repeat(8)}`) }, { code: 'UC_DEPLOY_PROTOCOL', message: /no frame/ })
  await rejected({ onExec: channel => channel.write(Buffer.concat([Buffer.from(hello), frame({ hello: { protocol: 9 } })])) }, { code: 'UC_DEPLOY_PROTOCOL', message: /version 9/ })
  await rejected({ onExec: channel => { channel.write(hello + '\0\0\0'); channel.close() } }, { code: 'UC_DEPLOY_LOST' })

  await lost({ onExec: channel => channel.write(Buffer.from([0, 0, 1])) && channel.close() }, { code: 'UC_DEPLOY_LOST' })
  await lost({ onExec: channel => channel.write(Buffer.alloc(64, 0xff)) }, { code: 'UC_DEPLOY_PROTOCOL' })
  await lost({ onExec: channel => channel.write(frame({ id: 77, done: 1 })) && channel.write(frame({ hello: { again: true } })) && channel.close() }, { code: 'UC_DEPLOY_LOST' })
  await lost({ onExec () {} }, { code: 'UC_DEPLOY_LOST', message: /nothing was heard of the agent for 0\.5 s/ }, { beatMs: 100, agentSilenceMs: 500 })
  await lost({ onExec: (channel, client) => channel.once('data', () => channel.close()) }, { code: 'UC_DEPLOY_LOST' })

  // A flood for a call that does not read: it waits in the channel, not here.
  let sent = 0
  const host = await faulty(t, {
    onExec: channel => {
      channel.write(greeting)
      const chunk = Buffer.concat([frame({ id: 1, chunk: true }), Buffer.alloc(500_000)])
      chunk.writeUInt32BE(500_000, 4)
      const flood = () => {
        while (sent < 400 && channel.writable) {
          sent++
          if (!channel.write(chunk)) return channel.once('drain', flood)
        }
      }
      flood()
    }
  })
  const session = await open(t, host, { closeMs: 200 })
  let release
  const stuck = new Promise(resolve => { release = resolve })
  const call = session.call('flood', {}, { onChunk: () => stuck, timeoutMs: 1500 })
  await t.rejects(call, { code: 'UC_DEPLOY_TIMEOUT' })
  t.ok(sent < 60, `${sent} of 400 chunks were sent`)
  release()
})
