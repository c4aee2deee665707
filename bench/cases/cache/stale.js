'use strict'

// Is anything older than an acknowledged write ever read? Four processes keep
// the value in their first level; one of them is stopped and continued at random
// moments.

const { CacheCrew } = require('../../lib/cache-crew')

const PROCESSES = 4
const ROUNDS = 100000

module.exports = {
  title: 'Stale reads',
  unit: 'reads',
  measure: 'stale',
  better: 'lower',
  once: true,
  rows: [
    {
      name: 'stale-reads',
      title: 'reads older than an acknowledged write, 4 processes, 100,000 rounds, one stopped and continued at random',
      ours: 'rounds',
      rivals: {},
      targets: {},
      atMost: { node: 0, bun: 0 }
    },
    {
      name: 'stale-first',
      title: 'share of those reads that the first level answered, in %',
      unit: '%',
      measure: 'first',
      better: 'higher',
      ours: 'rounds',
      rivals: {},
      targets: {}
    }
  ],
  programs: {
    ours: {
      async rounds ({ lib, scale }) {
        const crew = await CacheCrew.start(PROCESSES, { target: lib.target })
        return {
          async round () {
            const stop = crew.stopAtRandom(PROCESSES - 1)
            const answers = await crew.all({ name: 'rounds', rounds: Math.ceil(scale(ROUNDS) / PROCESSES) })
            stop()
            const sum = name => answers.reduce((all, it) => all + it[name], 0)
            return { stale: sum('stale'), first: 100 * sum('first') / sum('reads') }
          },
          close: () => crew.close()
        }
      }
    }
  }
}
