'use strict'
// What of a test run may be done at the same time, and by whom.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { byUrgency, schedule } = require('../schedule')
const { share, CHOSEN } = require('../choice')
const { gate, tmpdir } = require('../helper')
const { readTimes, writeTimes } = require('../times')

// Jobs that end when they are let. -> { jobs, order, running, let(name, result), over }
function play (t, list, cores) {
  const gates = new Map()
  const order = []
  const running = new Set()
  const jobs = []
  for (const { after = [], ...job } of list) {
    gates.set(job.name, gate())
    jobs.push({
      ...job,
      after: after.map(name => jobs.find(other => other.name === name)),
      run: async () => {
        running.add(job.name)
        const result = await gates.get(job.name).opened
        running.delete(job.name)
        return result
      }
    })
  }
  const over = schedule(jobs, { cores, onEnd: (job, result) => order.push([job.name, result.failed]) })
  const end = async (name, result = { passed: 1, failed: 0 }) => {
    if (!running.has(name)) t.fail(`${name} does not run`)
    gates.get(name).open(result)
    await new Promise(setImmediate)
  }
  return { order, running, end, over }
}

const names = play => [...play.running].sort().join(' ')

t.test('as many as the cores can do with', async t => {
  const run = play(t, [{ name: 'a' }, { name: 'b', cores: 0.5 }, { name: 'c' }, { name: 'd', cores: 0.5 }, { name: 'e', cores: 8 }], 2)
  t.equal(names(run), 'a b d', 'c waits for a core, d goes in between')
  await run.end('b')
  t.equal(names(run), 'a d')
  await run.end('d')
  t.equal(names(run), 'a c')
  await run.end('a')
  await run.end('c')
  t.equal(names(run), 'e', 'more than there are is all of them')
  await run.end('e')
  await run.over
})

t.test('one at a time of what there is one of', async t => {
  const run = play(t, [{ name: 'a', uses: ['disk'], cores: 0.25 }, { name: 'b', uses: ['disk', 'x'], cores: 0.25 }, { name: 'c', uses: ['x'], cores: 0.25 }], 2)
  t.equal(names(run), 'a c')
  await run.end('a')
  t.equal(names(run), 'c')
  await run.end('c')
  await run.end('b')
  await run.over
})

t.test('what measures comes last, and has the machine', async t => {
  const run = play(t, [{ name: 'm', alone: true, cores: 0.25 }, { name: 'a' }, { name: 'n', alone: true }, { name: 'b' }], 2)
  t.equal(names(run), 'a b')
  await run.end('b')
  t.equal(names(run), 'a')
  await run.end('a')
  t.equal(names(run), 'm')
  await run.end('m')
  t.equal(names(run), 'n')
  await run.end('n')
  await run.over
})

t.test('after what it needs, and not at all when that failed', async t => {
  const run = play(t, [{ name: 'build' }, { name: 'late', after: ['build'] }, { name: 'later', after: ['late'] }, { name: 'other' }], 4)
  t.equal(names(run), 'build other')
  await run.end('build', { passed: 0, failed: 1 })
  t.same(run.order, [['build', 1], ['late', 1], ['later', 1]], 'each is told as failed')
  await run.end('other')
  await run.over
})

t.test('what the end would wait for begins first', t => {
  const build = { name: 'build', expected: 20 }
  const jobs = [
    { name: 'short' },
    { name: 'long', expected: 40 },
    build,
    { name: 'behind it', expected: 30, after: [build] },
    { name: 'quick', expected: 5 },
    { name: 'in turn', first: true, expected: 1 }
  ]
  t.same(byUrgency(jobs).map(({ name }) => name), ['in turn', 'build', 'long', 'behind it', 'short', 'quick'])
  t.end()
})

t.test('what throws has failed', async t => {
  const ended = []
  await schedule([{ name: 'x', run: () => { throw new Error('at once') } }], { cores: 1, onEnd: (job, result) => ended.push(result) })
  t.equal(ended[0].failed, 1)
  t.match(ended[0].report, /x: Error: at once/)
})

t.test('the times that a run has written plan the next one', async t => {
  const file = path.join(tmpdir(t), 'README.md')
  fs.writeFileSync(file, 'before\n\n<!-- times -->\n<!-- /times -->\n\nafter\n')
  const jobs = [
    { name: 'test/deploy/kill.test.js', passed: 9, failed: 0, seconds: 135.7, cpu: 38.9 },
    { name: 'c@asan: build', passed: 0, failed: 0, seconds: 175.2, cpu: 176.3 },
    { name: 'short', passed: 1, failed: 0, seconds: 0.5, cpu: 0.4 }
  ]
  const results = [{ part: { name: 'deploy' }, passed: 10, failed: 0, seconds: 311.4, cpu: 215.6, jobs }]
  const facts = { seconds: 200, cores: 2, isFull: true, sum: { passed: 10, failed: 0 } }
  writeTimes(file, results, facts)
  const once = fs.readFileSync(file, 'utf8')
  writeTimes(file, results, facts)
  t.equal(fs.readFileSync(file, 'utf8'), once, 'it stands there once')
  t.match(once, /^before\n[^]*\nafter\n$/)
  const times = readTimes(file)
  t.same(times.get('test/deploy/kill.test.js'), { seconds: 135.7, cpu: 38.9 })
  t.same(times.get('c@asan: build'), { seconds: 175.2, cpu: 176.3 })
  t.equal(times.get('short'), undefined, 'what is short is summed up')
})

t.test('the runtimes between share a suite', async t => {
  const files = ['a', 'b', 'c'].map(name => `test/unit/${name}.test.js`)
  const all = CHOSEN.map(runtime => share('unit', runtime, files))
  t.same(all.flatMap(({ files }) => files).sort(), files, 'each file is done once')
  for (const { files: mine, chosen } of all) t.same(chosen.length + mine.length, files.length, 'what is not is named')
  for (const runtime of ['node', 'bun']) t.same(share('unit', runtime, files), { files, env: {} }, `${runtime} does all`)
  const log = 'test/durability/log.test.js'
  t.same(share('durability', 'node', [log]).files, [log])
  t.same(share('durability', 'bun', [log]), { files: [], env: {}, chosen: ['log'] }, 'it starts Bun by itself')
  t.same(share('unit', CHOSEN[0], files.slice(1, 2)).files.length, 1, 'one file is not halved')

  const { suites } = require('../helper')
  const doors = ['addon', 'ipc']
  const wanted = suites().map(([name]) => name).sort()
  const done = CHOSEN.flatMap(runtime => doors.map(door => {
    process.env.UNDERCROFT_SHARE = share('contract', runtime, files).env.UNDERCROFT_SHARE
    const names = suites(door).map(([name]) => name)
    delete process.env.UNDERCROFT_SHARE
    return { runtime, door, names }
  }))
  for (const runtime of CHOSEN) {
    t.same(done.filter(one => one.runtime === runtime).flatMap(({ names }) => names).sort(), wanted, `each suite once on ${runtime}`)
  }
  for (const door of doors) {
    t.same(done.filter(one => one.door === door).flatMap(({ names }) => names).sort(), wanted, `each suite once at the door ${door}`)
  }
})
