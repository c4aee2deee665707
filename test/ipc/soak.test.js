'use strict'

// Everything at once: a daemon and its clients, on every runtime there is, are killed, stopped
// and continued at random, and the daemon is replaced. What was acknowledged is there, nothing is
// there twice or by half, and whoever was not killed goes on.

const fs = require('node:fs')
const t = require('tap')
const undercroft = require('../..')
const { start } = require('../daemon/raw')
const { child, delay, exact, fileTimeoutMs, tmpdir, until } = require('../helper')
const { runtimes } = require('../runtimes')
const { budget } = require('../budget')
const { newSeed, random } = require('../random')

// Below five seconds hardly anything has happened to everybody.
const forMs = Math.max(5, budget.seconds) * 1000
const clients = 5
const parts = { one: 1, plain: 1, many: 5, batch: 2, tx: 2 }

t.setTimeout(fileTimeoutMs)

const body = ({ undercroft, args, say, require, root }) => require(`${root}/test/ipc/soak-client.js`)({ undercroft, args, say })

class Soak {
  all = []
  happened = {}

  constructor (t, dir, seed) {
    this.t = t
    this.dir = dir
    this.pick = random(seed)
    this.there = runtimes().filter(({ skip }) => !skip)
    this.daemons = []
  }

  get daemon () { return this.daemons.at(-1) }

  async start (args = []) {
    this.daemons.push(await start(this.t, { dir: this.dir, args: [...args, '--set', 'transactionTimeoutMs=2000'], deadlineMs: 240000 }))
  }

  // The i-th client on the i-th runtime, again and again.
  client (i) {
    const { exec, name } = this.there[i % this.there.length]
    const who = `${name}.${this.all.length}`
    const one = child(this.t, body, { exec, args: { url: `ipc://${this.daemon.socket}`, who }, deadlineMs: 240000 })
    Object.assign(one, { who, place: i, isKilled: false })
    this.all.push(one)
    return one
  }

  get alive () { return this.all.filter(({ isKilled }) => !isKilled) }

  async step () {
    const kind = ['kill', 'kill', 'stop', 'stop', 'replace', 'client kill', 'client kill', 'client stop', 'client stop', 'both stop'][this.pick(10)]
    const one = this.alive[this.pick(this.alive.length)]
    const ms = this.pick(3) === 0 ? this.pick(900) : this.pick(120)
    this.happened[kind] = (this.happened[kind] ?? 0) + 1
    switch (kind) {
      case 'kill':
        await this.daemon.stop('SIGKILL')
        await delay(this.pick(2) * this.pick(400))
        return this.start()
      case 'replace': {
        const old = this.daemon
        await this.start(['--replace'])
        await old.done
        if (old.code !== 0) this.t.fail(`the daemon that was replaced ended with ${old.code ?? old.signal}: ${old.stderr}`)
        return
      }
      case 'client kill':
        one.isKilled = true
        one.proc.kill('SIGKILL')
        this.client(one.place)
        return
      case 'stop': return this.#pause([this.daemon.proc], ms)
      case 'client stop': return this.#pause([one.proc], ms)
      case 'both stop': return this.#pause([this.daemon.proc, one.proc], ms)
    }
  }

  async #pause (processes, ms) {
    for (const proc of processes) proc.kill('SIGSTOP')
    await delay(ms)
    for (const proc of processes) proc.kill('SIGCONT')
  }
}

t.test('killed, stopped and replaced at random', async (t) => {
  const seed = newSeed()
  t.comment(`seed ${seed}`)
  const soak = new Soak(t, tmpdir(t), seed)
  await soak.start()
  const first = undercroft.open(`ipc://${soak.daemon.socket}`)
  await first.db.exec('create table rows(who, kind, n, part); create index rows_of on rows(who, kind)')
  await first.close()
  for (let i = 0; i < clients; i++) soak.client(i)
  await until(() => soak.alive.every(({ lines }) => lines.some((line) => line.startsWith('ack'))), 'all clients are at work')

  const end = Date.now() + forMs
  while (Date.now() < end) {
    await soak.step()
    await delay(soak.pick(200))
    const gone = soak.alive.filter(({ proc }) => proc.exitCode !== null || proc.signalCode !== null)
    if (gone.length > 0) break
  }
  t.comment(`what happened: ${JSON.stringify(soak.happened)}`)

  // Whoever is alive goes on: each of them writes something that it has not sent yet.
  const seen = new Map(soak.alive.map((one) => [one, one.lines.length]))
  const goesOn = (one) => {
    const lines = one.lines.slice(seen.get(one))
    return lines.some((line) => line.startsWith('try') && lines.includes(line.replace('try', 'ack')))
  }
  await until(() => soak.alive.every((one) => goesOn(one) || one.proc.exitCode !== null), 'all clients go on')
  for (const one of soak.alive) one.proc.stdin.end()
  await Promise.all(soak.all.map(({ done }) => done))
  for (const { who, code, signal, isKilled, stderr } of soak.all) {
    if (isKilled) continue
    if (code !== 0) t.comment(stderr.slice(-2000))
    t.equal(code, 0, `${who} has come to its end${signal ? `: ${signal}` : ''}`)
  }
  const { daemon } = soak
  t.equal((await daemon.stop()).code, 0, 'the last daemon ends in order')
  t.notOk(fs.existsSync(daemon.socket), 'its socket is gone')
  exact(t, running(soak.dir), [], 'nothing is left running')

  const store = undercroft.open(daemon.file)
  t.teardown(() => store.close())
  exact(t, await store.db.get('pragma integrity_check'), { integrity_check: 'ok' }, 'the file is sound')
  const there = new Map()
  for (const [who, kind, n, part] of await store.db.values('select who, kind, n, part from rows')) {
    const key = `${who} ${kind} ${n}`
    if (!there.has(key)) there.set(key, [])
    there.get(key).push(part)
  }
  const wrong = { twice: [], half: [], lost: [], unasked: new Set(there.keys()) }
  let acks = 0
  for (const { who, lines } of soak.all) {
    for (const line of lines) {
      const [word, kind, n] = line.split(' ')
      const key = `${who} ${kind} ${n}`
      if (word === 'try') wrong.unasked.delete(key)
      if (word !== 'ack') continue
      acks++
      if (!there.has(key)) wrong.lost.push(key)
    }
  }
  for (const [key, found] of there) {
    if (new Set(found).size !== found.length) wrong.twice.push(key)
    else if (found.length !== parts[key.split(' ')[1]]) wrong.half.push(key)
  }
  exact(t, wrong.lost, [], `${acks} acknowledged writes are there`)
  exact(t, wrong.twice, [], 'none twice')
  exact(t, wrong.half, [], 'none by half')
  exact(t, [...wrong.unasked], [], 'and none that nobody sent')
  t.ok(acks > 100)
})

// Processes that have to do with the directory of this test.
function running (dir) {
  return fs.readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).flatMap((pid) => {
    try {
      const line = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return line.includes(dir) ? [line] : []
    } catch {
      return []
    }
  })
}
