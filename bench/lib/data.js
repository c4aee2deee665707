'use strict'

// What is in the benchmark's database. Every value follows from its row number,
// so that any process can say what a query must answer without asking SQLite.

const WORLDS = 10000
const USERS = 100000
const TRAVELLERS = 10000
const ID_STEP = 7 // ids of user: 7, 14, … 700000

const VALUE_BYTES = 64 * 1024

const SCHEMA = `
  create table world (
    id integer primary key,
    randomnumber integer not null
  );
  create table user (
    id integer primary key,
    name text not null,
    age integer not null,
    city text not null,
    created_at text not null
  );
  create table traveller (
    id integer primary key,
    name text not null,
    age integer not null,
    city text not null,
    created_at text not null
  );
  create table entry (
    id integer primary key,
    name text not null,
    age integer not null,
    city text not null,
    created_at text not null
  );
  create table value (
    id integer primary key,
    body blob not null
  );
`
// Made after the rows, as a bulk load does.
const INDEXES = 'create index user_name_age on user (name, age);'

const CITIES = [
  'Amsterdam', 'Athens', 'Bangalore', 'Barcelona', 'Berlin', 'Boston',
  'Budapest', 'Cairo', 'Cape Town', 'Casablanca', 'Chicago', 'Copenhagen',
  'Dakar', 'Dublin', 'Edinburgh', 'Geneva', 'Hanoi', 'Helsinki', 'Hong Kong',
  'Istanbul', 'Jakarta', 'Johannesburg', 'Karachi', 'Kuala Lumpur', 'Lagos',
  'Lima', 'Lisbon', 'London', 'Los Angeles', 'Madrid', 'Manila', 'Melbourne',
  'Mexico City', 'Montreal', 'Mumbai', 'Nairobi', 'New York', 'Osaka', 'Oslo',
  'Paris', 'Prague', 'Rio de Janeiro', 'Rome', 'San Francisco', 'Santiago',
  'Seoul', 'Shanghai', 'Singapore', 'Stockholm', 'Sydney', 'Taipei', 'Tokyo',
  'Toronto', 'Vancouver', 'Vienna', 'Warsaw', 'Wellington'
]
const FAR_CITIES = ['Zürich', 'São Paulo', 'Malmö', 'Łódź', 'Ürümqi', '東京']

const EPOCH = Date.UTC(2020, 0, 1)

/** A well mixed unsigned 32-bit number for each integer. */
function mix (n) {
  n = Math.imul(n ^ (n >>> 16), 0x45d9f3b)
  n = Math.imul(n ^ (n >>> 15), 0x2c1b3c6d)
  return (n ^ (n >>> 16)) >>> 0
}

function world (i) {
  return { id: i, randomnumber: 1 + mix(i) % 10000 }
}

function user (i) {
  return {
    id: i * ID_STEP,
    name: `${mix(i) % 50}---`,
    age: mix(i + 7919) % 20,
    city: CITIES[mix(i + 104729) % CITIES.length],
    created_at: new Date(EPOCH + i * 61000).toISOString()
  }
}

/** A user of whom one in ten lives in a city that ASCII cannot spell. */
function traveller (i) {
  const row = user(i)
  if (i % 10 === 0) row.city = FAR_CITIES[mix(i) % FAR_CITIES.length]
  return row
}

/** Row i of what the insert cases insert: a user without its id. */
function entry (i) {
  const { name, age, city, created_at: at } = user(i)
  return { name, age, city, created_at: at }
}

/** n numbers from min to max, in an order that is the same in every process. */
function randoms (n, min, max) {
  const out = new Array(n)
  for (let i = 0; i < n; i++) out[i] = min + mix(i + 15485863) % (max - min + 1)
  return out
}

/** A large value: bytes that nothing can make shorter. */
function value (i) {
  const body = Buffer.alloc(VALUE_BYTES)
  for (let at = 0; at < VALUE_BYTES; at += 4) body.writeUInt32LE(mix(i * VALUE_BYTES + at), at)
  return { id: i, body }
}

/** [name, number of rows, row of a number] of each table that has rows at the beginning. */
const tables = () => [
  ['world', WORLDS, world],
  ['user', USERS, user],
  ['traveller', TRAVELLERS, traveller],
  ['value', 1, value]
]

module.exports = {
  WORLDS,
  USERS,
  TRAVELLERS,
  ID_STEP,
  SCHEMA,
  INDEXES,
  tables,
  mix,
  world,
  user,
  traveller,
  entry,
  value,
  randoms
}
