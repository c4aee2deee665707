'use strict'

// A pool of pg, with its own client or with libpq's, as both are used alike.

const { Readable } = require('node:stream')
const { pipeline } = require('node:stream/promises')
const { copyText } = require('./copy-text')

// Each statement has a name, so that a connection prepares it once.
const names = new Map()

function named (text, values = []) {
  let name = names.get(text)
  if (name === undefined) names.set(text, name = `q${names.size}`)
  return { name, text, values }
}

async function openPool ({ Pool }, max, { host, port, user, database }, { isNative = false } = {}) {
  const pool = new Pool({ host, port, user, database, max })
  await pool.query('select 1')
  const all = async (text, values) => (await pool.query(named(text, values))).rows
  return {
    all,
    async transaction (fn) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        const result = await fn(async (text, values) => (await client.query(named(text, values))).rows)
        await client.query('commit')
        return result
      } finally {
        client.release()
      }
    },
    copy: isNative
      ? null
      : async (table, columns, rows) => {
        const { from } = require('pg-copy-streams')
        const client = await pool.connect()
        try {
          await pipeline(Readable.from(copyText(rows)), client.query(from(`copy ${table}(${columns}) from stdin`)))
        } finally {
          client.release()
        }
      },
    iterate: isNative
      ? null
      : async (text, each) => {
        const Cursor = require('pg-cursor')
        const client = await pool.connect()
        const cursor = client.query(new Cursor(text))
        for (;;) {
          const rows = await cursor.read(1000)
          if (rows.length === 0) break
          for (const row of rows) each(row)
        }
        await cursor.close()
        client.release()
      },
    close: () => pool.end()
  }
}

module.exports = { named, openPool }
