'use strict'

// connects.js FILE - a program of its own, so that it has an environment of its own: tries each address of a
// JSON array and prints what came of it, [{ row, code, message, stack }], as one line of JSON.

const fs = require('node:fs')
const util = require('node:util')
const { open } = require('../../lib/store')

const SQL = "select current_user::text who, coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) tls, current_setting('application_name') app, current_database()::text db"

async function one (url) {
  let store
  try {
    store = open(url, { timeoutMs: 20_000 })
    return { row: await store.db.get(SQL) }
  } catch (error) {
    return { code: error.code, message: error.message, all: util.inspect(error, { depth: 9, showHidden: true }) }
  } finally {
    await store?.close().catch(() => {})
  }
}

async function main () {
  const urls = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
  const out = []
  for (let i = 0; i < urls.length; i += 8) out.push(...await Promise.all(urls.slice(i, i + 8).map(one)))
  console.log(JSON.stringify(out))
}

main()
