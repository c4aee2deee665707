'use strict'

// What is in the database of the door `http`: the people of the notes' URL, and the
// two tables of TechEmpower's benchmark. Values follow from the row number.

const { mix, world, WORLDS } = require('./data')

const PEOPLE = 400_000
const NAMES = 50
const AGES = 20
const EPOCH = Date.UTC(2020, 0, 1)

const SCHEMA = `
  create table person (
    id integer primary key,
    created_at text not null,
    name text not null,
    age integer not null
  );
  create table world (
    id integer primary key,
    randomnumber integer not null
  );
  create table fortune (
    id integer primary key,
    message text not null
  );
`
const INDEXES = 'create index person_name_age on person (name, age, id);'

// Those of TechEmpower's own set-up.
const FORTUNES = [
  'fortune: No such file or directory',
  "A computer scientist is someone who fixes things that aren't broken.",
  'After enough decimal places, nobody gives a damn.',
  'A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1',
  'A computer program does what you tell it to do, not what you want it to do.',
  'Emacs is a nice operating system, but I prefer UNIX. — Tom Christaensen',
  'Any program that runs right is obsolete.',
  'A list is only as strong as its weakest link. — Donald Knuth',
  'Feature: A bug with seniority.',
  'Computers make very fast, very accurate mistakes.',
  '<script>alert("This should not be displayed in a browser alert box.");</script>',
  'フレームワークのベンチマーク'
]

/** The person of this id. */
function person (id) {
  return {
    id,
    created_at: new Date(EPOCH + id * 61000).toISOString(),
    name: `${mix(id) % NAMES}---`,
    age: mix(id + 7919) % AGES
  }
}

const fortune = id => ({ id, message: FORTUNES[id - 1] })

/** A smaller database has people of the same ids, but fewer of them. */
function tables (scale) {
  const step = Math.round(1 / scale)
  return [
    ['person', Math.floor(PEOPLE / step), i => person(i * step)],
    ['world', WORLDS, world],
    ['fortune', FORTUNES.length, fortune]
  ]
}

module.exports = { PEOPLE, SCHEMA, INDEXES, FORTUNES, person, tables }
