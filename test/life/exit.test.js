'use strict'

// process.exit, an uncaught exception and a signal at each stage: the process ends in time with
// the code it should have, and the file is sound.

const path = require('node:path')
const t = require('tap')
const undercroft = require('../..')
const { child, exact, fileTimeoutMs, isLong, tmpfile } = require('../helper')
const { pending, prepare } = require('./pending')

t.setTimeout(fileTimeoutMs)

const stages = Object.keys(pending)
const ends = ['exit', 'exit in a callback', 'throw', 'rejection', 'SIGTERM', 'SIGKILL']

const body = async ({ undercroft, args, root, say }) => {
  const path = require('node:path')
  const { pending } = require(path.join(root, 'test/life/pending.js'))
  const store = undercroft.open(args.file)
  if (args.stage !== 'opening') await store.ready
  pending[args.stage](store).catch(() => {})
  const end = () => {
    if (args.end === 'exit') process.exit(3)
    if (args.end === 'throw') throw new Error('on purpose')
    if (args.end === 'rejection') Promise.reject(new Error('on purpose'))
    say('now')
    setInterval(() => {}, 1000)
  }
  if (args.end === 'exit in a callback') {
    const read = store.db.get('select 1')
    read.then(() => process.exit(3), () => process.exit(3))
    setTimeout(() => process.exit(3), 300)
    return
  }
  if (args.wait > 0) setTimeout(end, args.wait)
  else setImmediate(end)
}

const run = async (t, stage, end, wait) => {
  const file = tmpfile(t)
  if (stage !== 'opening') await prepare(undercroft, file, 500)
  const result = child(t, body, {
    args: { file, stage, end, wait },
    onLine: (line, proc) => { if (line === 'now' && end.startsWith('SIG')) proc.kill(end) }
  })
  await result.done
  const wanted = end.startsWith('exit') ? 3 : end.startsWith('SIG') ? null : 1
  const fine = !result.timedOut && (wanted === null ? result.signal === end : result.code === wanted && result.signal === null)
  if (!fine) {
    t.comment(`code ${result.code}, signal ${result.signal}${result.timedOut ? ', killed at its deadline' : ''}`)
    t.comment(result.stderr.slice(-2000))
  }
  t.ok(fine, `${stage}: ${end} after ${wait} ms`)
  const store = undercroft.open(file)
  const sound = await store.db.get('pragma integrity_check')
  if (sound.integrity_check !== 'ok') exact(t, sound, { integrity_check: 'ok' }, `${stage}: ${end}: the file is sound`)
  if (stage !== 'opening') {
    const { n } = await store.db.get("select count(*) as n from t where a = 'tx'")
    if (n !== 0) t.ok(false, `${stage}: ${end}: an unfinished transaction is not there`)
  }
  await store.close()
}

const waits = [0, 1, 20]
const isPairwise = process.env.UNDERCROFT_PAIRWISE === '1'

// Two at a time. The long run takes each stage with each end and each wait; pairwise, any two
// of the three. The short one takes each stage with two ends.
t.test('each stage and each end', async (t) => {
  const cases = []
  stages.forEach((stage, i) => ends.forEach((end, j) => {
    const chosen = waits.filter((_, k) => isLong ? !isPairwise || (i + j + k) % waits.length === 0 : k === (i % 2 ? 2 : 1))
    if (isLong || j === i % ends.length || j === (i + 1) % ends.length) for (const wait of chosen) cases.push([stage, end, wait])
  }))
  const next = async () => {
    for (let one = cases.shift(); one !== undefined; one = cases.shift()) await run(t, ...one)
  }
  await Promise.all([next(), next()])
})

t.test('exit while a blocking call is under way in a user function', async (t) => {
  const file = tmpfile(t)
  const result = child(t, async ({ undercroft, args }) => {
    const { db } = undercroft.open(args.file)
    db.sync.function('leave', () => process.exit(3))
    db.sync.get('select leave()')
  }, { args: { file } })
  await result.done
  t.equal(result.timedOut, false)
  t.equal(result.code, 3)
})

t.test('exit handlers may still use blocking calls', async (t) => {
  const file = tmpfile(t)
  const result = child(t, async ({ undercroft, args, say }) => {
    const { db } = undercroft.open(args.file)
    await db.exec('create table t(a)')
    db.get('with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c').catch(() => {})
    process.on('exit', () => {
      db.sync.run('insert into t values (1)')
      say(db.sync.get('select count(*) as n from t').n)
    })
    process.exit(4)
  }, { args: { file } })
  await result.done
  t.equal(result.code, 4, result.stderr.slice(-500))
  exact(t, result.lines, ['1'], 'the last word is written')
})

t.test('a require alone loads no addon and holds nothing', async (t) => {
  const result = child(t, async ({ undercroft, say }) => {
    say(typeof undercroft.open)
    say(Object.keys(require.cache).filter((file) => file.endsWith('.node')).length)
  })
  await result.done
  t.equal(result.code, 0)
  exact(t, result.lines, ['function', '0'], path.basename(__filename))
})
