'use strict'

// What the cases on PostgreSQL share: who are the rivals of a row, and the programs of both families
// from one description.

const sizes = [4, 10]
const NAMES = ['postgres.js', 'pg', 'pg, pipelined', 'pg-native', 'Bun.SQL']

/** A ratio to reach for each rival: `node` for the drivers of Node, `bun` for Bun's. */
function targets ({ node, bun }) {
  return Object.fromEntries(NAMES.flatMap(name => sizes.map(size => [`${name}, ${size}`, name === 'Bun.SQL' ? bun : node]))
    .filter(([, target]) => target !== undefined))
}

/**
 * The programs of a case, the same for Undercroft and for a pool.
 *
 * @param {(made: { all: Function, transaction: Function, people: number, context: object }) => object} make
 *   all(text) -> (values) => rows; transaction(fn): fn(all) with all(text, values)
 * @returns {{ ours: Function, pool: Function }}
 */
function both (make) {
  const peopleOf = ({ job }) => job.service.people
  return {
    ours (context) {
      const { db } = context.lib
      return make({
        all: text => {
          const query = db.prepare(text)
          return values => query.all(values)
        },
        transaction: fn => db.transaction(tx => fn((text, values) => tx.all(text, values))),
        people: peopleOf(context),
        context
      })
    },
    pool (context) {
      const { lib } = context
      return make({ all: text => values => lib.all(text, values), transaction: fn => lib.transaction(fn), people: peopleOf(context), context })
    }
  }
}

/** { ours: { name: … }, pool: { name: … } } of several descriptions by name. */
function programs (described) {
  const out = { ours: {}, pool: {} }
  for (const [name, make] of Object.entries(described)) {
    const { ours, pool } = both(make)
    out.ours[name] = ours
    out.pool[name] = pool
  }
  return out
}

module.exports = { programs, targets }
