'use strict'
// What a server has of the settings that it should have, and how they get there.

const { CommandRefusal } = require('../refusal')

const NOW = `
  select name, setting, unit, context, pending_restart as pending, vartype as type, source, min_val as least, max_val as most
    from pg_settings where name = any(string_to_array(?, ','))`

// As the server counts: 8kB is a unit of its own.
const UNITS = { B: 1, kB: 1024, '8kB': 8192, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 }

/**
 * What the server says to each setting: as it is, whether it would change, and what has to be done for it.
 *
 * @param {object} db
 * @param {{ name: string, value: string, why: string }[]} wanted
 * @returns {Promise<object[]>} { name, value, why, now, changes, restart, unknown }
 */
async function compare (db, wanted) {
  const rows = await db.all(NOW, [wanted.map(({ name }) => name).join(',')])
  const byName = new Map(rows.map(row => [row.name, row]))
  return wanted.map(({ name, value, why }) => {
    const row = byName.get(name)
    if (row === undefined) return { name, value, why, now: null, changes: false, restart: false, unknown: true }
    const isSize = row.unit !== null && UNITS[row.unit] !== undefined
    const now = isSize ? bytesOf(`${row.setting}`, row.unit) : row.setting
    const next = isSize ? bytesOf(value, row.unit) : value
    return {
      name,
      value,
      why,
      now: isSize ? inUnits(now) : row.setting,
      changes: isSize ? now !== next : Number(now) !== Number(next) || (Number.isNaN(Number(now)) && now !== next),
      restart: row.context === 'postmaster',
      unknown: false
    }
  })
}

function bytesOf (text, unit) {
  const [, number, own] = /^(-?\d+(?:\.\d+)?)([A-Za-z]+)?$/.exec(text)
  return Number(number) * UNITS[own ?? unit]
}

function inUnits (bytes) {
  if (bytes < 0) return String(bytes)
  for (const unit of ['GB', 'MB', 'kB']) if (bytes >= UNITS[unit] && bytes % UNITS[unit] === 0) return `${bytes / UNITS[unit]}${unit}`
  return `${bytes}B`
}

/**
 * Writes them into postgresql.auto.conf and has the server read it again.
 *
 * @returns {Promise<{ applied: string[], pending: string[] }>} pending: after the next start of the server
 * @throws {CommandRefusal} the server does not let this user, or does not take a value
 */
async function apply (db, compared) {
  const changes = compared.filter(({ changes }) => changes)
  for (const { name, value } of changes) {
    try {
      // Names and values are our own.
      await db.exec(`alter system set ${name} = '${value}'`)
    } catch (err) {
      if (err.sqlstate === '42501') {
        throw new CommandRefusal(`this user may not change settings of the server: ${err.message}`,
          'give the address of a superuser, or put the lines into postgresql.conf yourself', 'failed')
      }
      throw err
    }
  }
  if (changes.length > 0) await db.get('select pg_reload_conf()')
  const wrong = await db.all("select name, error from pg_file_settings where error is not null and error <> 'setting could not be applied'")
  if (wrong.length > 0) {
    throw new CommandRefusal(`the server does not take ${wrong.map(({ name, error }) => `${name}: ${error}`).join('; ')}`, 'alter system reset … takes a setting back', 'failed')
  }
  return { applied: changes.map(({ name }) => name), pending: changes.filter(({ restart }) => restart).map(({ name }) => name) }
}

module.exports = { apply, compare }
