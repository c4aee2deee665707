'use strict'

// The service by hand on better-sqlite3 or bun:sqlite, whose statements have the same
// methods: prepared once, and a transaction around what writes more than once.

const { integer, Wrong } = require('./read')
const { fortunesPage } = require('./fortunes')

const WORLDS = 10_000
const COLUMNS = 'id, created_at, name, age'

const random = () => 1 + Math.floor(Math.random() * WORLDS)
const now = () => new Date().toISOString()

/** @param {object} db { prepare(sql), transaction(fn) } */
function serviceOf (db) {
  // The page size stands in the text: a bound LIMIT is slow in the SQLite that they
  // bring (it is prepared again at each execution since 3.53).
  const pages = new Map()
  const pageOf = size => {
    if (!pages.has(size)) {
      pages.set(size, db.prepare(`select ${COLUMNS} from person where name = ? and age = ? and id > ? order by id limit ${size}`))
    }
    return pages.get(size)
  }
  const insert = db.prepare('insert into person(created_at, name, age) values (?, ?, ?)')
  const insertReturning = db.prepare(`insert into person(created_at, name, age) values (?, ?, ?) returning ${COLUMNS}`)
  const world = db.prepare('select id, randomnumber as randomNumber from world where id = ?')
  const setWorld = db.prepare('update world set randomnumber = ? where id = ?')
  const fortunes = db.prepare('select id, message from fortune')

  const insertAll = db.transaction(people => {
    const at = now()
    for (const { name, age } of people) insert.run(at, name, age)
  })
  const updateWorlds = db.transaction(count => {
    const rows = []
    for (let i = 0; i < count; i++) {
      const row = world.get(random())
      row.randomNumber = random()
      setWorld.run(row.randomNumber, row.id)
      rows.push(row)
    }
    return rows
  })

  return {
    page: ({ name, age, id, ps }) => pageOf(ps).all(name, age, id),
    add ({ name, age }) { insert.run(now(), name, age) },
    addReturning: ({ name, age }) => insertReturning.get(now(), name, age),
    addAll ({ people }) { insertAll(people) },
    world: () => world.get(random()),
    worlds (count) {
      const rows = []
      for (let i = 0; i < count; i++) rows.push(world.get(random()))
      return rows
    },
    updateWorlds,
    fortunes: () => fortunesPage(fortunes.all())
  }
}

/** The database of that job, opened by who has it here. */
function openDatabase ({ file, settings }) {
  const { open } = require(process.versions.bun ? '../../contestants/bun-sqlite' : '../../contestants/better-sqlite3')
  return open(file, settings)
}

/** What the parameters of a page are, from a parsed query. */
function pageQuery ({ name, age, id = '0', ps = '10' }) {
  if (typeof name !== 'string' || name.length < 1 || name.length > 64) throw new Wrong('name: 1 to 64 characters')
  return {
    name,
    age: integer('age', age, 0, 150),
    id: integer('id', id, 0, Number.MAX_SAFE_INTEGER),
    ps: integer('ps', ps, 1, 100)
  }
}

/** A person of a body. */
function personBody ({ name, age } = {}) {
  if (typeof name !== 'string' || name.length < 1 || name.length > 64) throw new Wrong('name: 1 to 64 characters')
  if (!Number.isInteger(age) || age < 0 || age > 150) throw new Wrong('age: 0 to 150')
  return { name, age }
}

function peopleBody ({ people } = {}) {
  if (!Array.isArray(people) || people.length < 1 || people.length > 1000) throw new Wrong('people: 1 to 1000')
  return { people: people.map(personBody) }
}

module.exports = { serviceOf, openDatabase, pageQuery, personBody, peopleBody }
