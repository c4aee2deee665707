'use strict'

// 1 GB of lines into files that rotate. Undercroft compresses them meanwhile,
// pino-roll does not.

const { setTimeout: sleep } = require('node:timers/promises')
const { floor } = require('../../lib/floor')
const { Histogram } = require('../../lib/histogram')
const { Load } = require('../../lib/log-rounds')
const { now } = require('../../lib/loop')
const { arrived, bytesOf, examine, sync } = require('../../lib/log-lines')

const BYTES = 2 ** 30
const ROTATE_BYTES = 64 * 2 ** 20
const ARCHIVE_MS = 120000
const POLL_MS = 10

/** `complete(lib, bytes)` resolves when all lines are in files, `settled(lib)` when nothing is left to do. */
function roll (complete, settled) {
  return async ({ contestant, job, scale }) => {
    const lib = await contestant.open(job.file, job.settings, { rotateBytes: scale(ROTATE_BYTES) })
    const load = new Load(lib)
    return {
      check: () => load.check(),
      async round () {
        const wanted = Math.ceil(scale(BYTES) / load.lineBytes)
        const before = bytesOf(lib.files())
        const seen = new Histogram()
        const cpu = process.cpuUsage()
        const start = now()
        const { from, count } = await load.write(n => n >= wanted, i => {
          const called = now()
          lib.log(i)
          seen.add((now() - called) * 1e6)
        })
        await complete(lib, before + count * load.lineBytes)
        const elapsed = now() - start
        await settled(lib)
        const { user, system } = process.cpuUsage(cpu)
        // The first lines are those of check(). Who loses or tears a few where files change has
        // done the same work, and is compared with their number beside it.
        const counted = floor(seen.quantile(0.5), count)
        const { lost, twice, torn } = examine(lib.files().map(file => ({ file, from: 0 })), [{ from: 0, count: from + count }])
        return {
          wrong: lost + twice + torn,
          p50: seen.quantile(0.5),
          p999: seen.quantile(0.999),
          p9999: seen.quantile(0.9999),
          longest: seen.max / 1e6,
          floor: counted.quantile(0.9999),
          floorLongest: counted.max / 1e6,
          rate: count * 1000 / elapsed,
          cpu: (user + system) / 1e6
        }
      },
      close: () => lib.close()
    }
  }
}

async function onDisk (lib, bytes) {
  await arrived(lib, bytes)
  sync(lib.files())
}

/** Every file but the current one is an archive. */
async function archived (lib) {
  const end = Date.now() + ARCHIVE_MS
  while (lib.files().filter(file => !file.endsWith('.gz')).length > 1) {
    if (Date.now() > end) throw new Error('the archives are not ready')
    await sleep(POLL_MS)
  }
}

const row = (name, title, unit, measure, more) => ({
  name, title, unit, measure, better: 'lower', ours: 'roll', rivals: { roll: 'roll' }, targets: {}, ...more
})

module.exports = {
  title: '1 GB of lines, files of 64 MB',
  roundMs: 30000,
  once: true,
  opensItself: true,
  rows: [
    row('roll-p9999', 'p99.99 of the time of one call during 1 GB, with rotation (and compression, Undercroft only)', 'ns', 'p9999',
      { targets: { 'pino-roll': 5 } }),
    row('roll-floor', 'p99.99 of as many calls that count to themselves for as long as that one\'s p50: the machine alone', 'ns', 'floor', { rivals: {} }),
    row('roll-p999', 'p99.9 of the time of one call during 1 GB', 'ns', 'p999'),
    row('roll-p50', 'p50', 'ns', 'p50'),
    row('roll-longest', 'the longest call', 'ms', 'longest'),
    row('roll-floor-longest', 'the longest of those that count to themselves', 'ms', 'floorLongest', { rivals: {} }),
    row('roll-cpu', 'processor time of the whole, with gzip of 1 GB in the case of Undercroft', 's', 'cpu'),
    row('roll-wrong', 'lines lost, torn or there twice of the 1 GB', 'lines', 'wrong', { atMost: { node: 0, bun: 0 } }),
    row('roll-rate', 'lines a second until all are on the disk', 'lines/s', 'rate', { better: 'higher' })
  ],
  programs: {
    ours: { roll: roll(lib => lib.flush(), archived) },
    roll: { roll: roll(onDisk, async () => {}) }
  }
}
