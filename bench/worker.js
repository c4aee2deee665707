'use strict'

// One contestant in one case, in a process of its own, so that neither the JIT
// nor the heap knows of anyone else. The parent writes one JSON command a line;
// each is answered by one line. Started as
//   <runtime> worker.js '{"contestant": …, "case": …, "program": …, …}'

const crypto = require('node:crypto')
const { doorOf } = require('./lib/doors')

const job = JSON.parse(process.argv[2])
const contestant = doorOf(job.door).contestants.find(({ name }) => name === job.contestant)

let lib
let program

const commands = {
  // Who is this, on which SQLite? Or why can it not take part?
  async probe () {
    const skip = contestant.missing()
    if (skip) return { skip }
    if (contestant.about) return { version: contestant.version(), about: contestant.about() }
    const db = await contestant.open(job.file, job.settings)
    const all = sql => contestant.family === 'ours'
      ? db.db.all(sql)
      : db.prepare(sql).all()
    const [{ version }] = await all('select sqlite_version() as version')
    const options = await all('pragma compile_options')
    await db.close()
    return {
      version: contestant.version(),
      sqlite: version,
      options: options.map(row => row.compile_options).sort()
    }
  },

  // Writes the database that every case starts from.
  async build () {
    const skip = contestant.missing()
    if (skip) return { skip }
    const db = await contestant.open(job.file, job.settings)
    const { SCHEMA, INDEXES, tables } = require(job.data)
    await db.exec(SCHEMA)
    for (const [table, count, make] of tables(job.scale)) {
      const rows = []
      for (let i = 1; i <= count; i++) rows.push(Object.values(make(i)))
      const sql = `insert into ${table} values (${rows[0].map(() => '?').join()})`
      if (contestant.family === 'ours') {
        await db.db.many(sql, rows)
      } else {
        const insert = db.prepare(sql)
        db.transaction(() => { for (const row of rows) insert.run(...row) })()
      }
    }
    await db.exec(INDEXES)
    await db.exec('pragma wal_checkpoint(truncate)')
    await db.close()
    return {}
  },

  async setup () {
    const skip = contestant.missing()
    if (skip) return { skip }
    const test = require(job.case)
    const family = test.programs[contestant.family]
    const make = family[job.program]
    if (!test.opensItself) {
      const more = test.options && test.options[job.program]
      lib = await contestant.open(job.file, job.settings, more, job.service)
    }
    program = await make({
      lib, contestant, job, scale: n => Math.max(1, Math.round(n * job.scale))
    })
    return program.skip ? { skip: program.skip } : {}
  },

  // What the queries of this program answer, as a digest to compare.
  async check () {
    if (!program.check) return { digest: null }
    const answer = await program.check()
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
    return {
      digest: crypto.createHash('sha1').update(text).digest('hex'),
      sample: text.slice(0, 200)
    }
  },

  async round ({ ms }) {
    if (program.reset) await program.reset()
    return program.round(ms)
  },

  async quit () {
    if (program && program.close) await program.close()
    if (lib) await lib.close()
    return {}
  }
}

async function answer (line) {
  let reply
  let over = false
  try {
    const command = JSON.parse(line)
    over = command.name === 'quit'
    reply = { ok: await commands[command.name](command) }
  } catch (err) {
    reply = { error: err.stack || String(err) }
  }
  // Written before the exit: the pipe to the parent is synchronous on Linux in
  // Node, and Bun calls back.
  process.stdout.write(`${JSON.stringify(reply)}\n`, () => {
    if (over) process.exit(0)
  })
}

let rest = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', chunk => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  for (const line of lines) answer(line)
})
process.stdin.on('end', () => process.exit(0))
