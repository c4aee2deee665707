'use strict'

// Ten processes want the same missing value a thousand times each, at once.

const { CacheCrew } = require('../../lib/cache-crew')

const PROCESSES = 10
const WRAPS = 1000

let n = 0

module.exports = {
  title: 'One load for all',
  unit: 'loads',
  measure: 'loads',
  better: 'lower',
  once: true,
  rows: [
    {
      name: 'wrap-once',
      title: 'runs of the loader when 10 processes call `wrap` 1000 times each for one cold key',
      ours: 'wrap',
      rivals: {},
      targets: {},
      atMost: { node: 1, bun: 1 }
    },
    {
      name: 'wrap-once-ms',
      title: 'time until all 10,000 have the value, whose loader takes 50 ms',
      unit: 'ms',
      measure: 'ms',
      ours: 'wrap',
      rivals: {},
      targets: {}
    }
  ],
  programs: {
    ours: {
      async wrap ({ lib, job }) {
        const crew = await CacheCrew.start(PROCESSES, { target: lib.target })
        return {
          async round () {
            const start = performance.now()
            const answers = await crew.all({ name: 'wrap', key: `cold:${n++}`, times: WRAPS, loadMs: 50 })
            const values = new Set(answers.flatMap(({ values }) => values))
            if (values.size !== 1) throw new Error(`${values.size} different values`)
            return {
              loads: answers.reduce((sum, { loads }) => sum + loads, 0),
              ms: performance.now() - start
            }
          },
          close: () => crew.close()
        }
      }
    }
  }
}
