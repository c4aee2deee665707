'use strict'

// npm sqlite3: the callback API on libuv's thread pool, made awaitable.

const { promisify } = require('node:util')

function missing () {
  if (process.versions.bun) return 'measured on Node only'
  try {
    require('sqlite3')
    return null
  } catch {
    return 'npm sqlite3 is not built: npm run bench -- --setup'
  }
}

async function open (file, { synchronous, cacheKiB }) {
  const sqlite3 = require('sqlite3')
  const db = await new Promise((resolve, reject) => {
    const made = new sqlite3.Database(file, err => err ? reject(err) : resolve(made))
  })
  const exec = promisify(db.exec.bind(db))
  await exec('pragma journal_mode = wal')
  await exec(`pragma synchronous = ${synchronous}`)
  await exec(`pragma cache_size = -${cacheKiB}`)
  await exec('pragma mmap_size = 0')
  const statements = []
  return {
    prepare (sql) {
      const stmt = db.prepare(sql)
      statements.push(stmt)
      const settle = (resolve, reject) => (err, rows) => err ? reject(err) : resolve(rows)
      return {
        get: (...params) => new Promise((resolve, reject) => {
          stmt.get(params, settle(resolve, reject))
        }),
        all: (...params) => new Promise((resolve, reject) => {
          stmt.all(params, settle(resolve, reject))
        }),
        run: (...params) => new Promise((resolve, reject) => {
          stmt.run(params, settle(resolve, reject))
        })
      }
    },
    exec,
    async close () {
      for (const stmt of statements) await promisify(stmt.finalize.bind(stmt))()
      await promisify(db.close.bind(db))()
    }
  }
}

module.exports = {
  name: 'sqlite3',
  family: 'async',
  missing,
  open,
  version: () => require('sqlite3/package.json').version
}
