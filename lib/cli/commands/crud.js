'use strict'
// npx undercroft crud: writes the routes of a table, and a test, from its schema.

const fs = require('node:fs')
const path = require('node:path')
const database = require('../database')
const { CommandRefusal, refusing } = require('../refusal')
const { slug } = require('../crud/names')
const { parentsOf } = require('../crud/sample')
const { planOf } = require('../crud/plan')
const { readTable } = require('../crud/table')
const { routesOf } = require('../crud/sql')
const { testOf } = require('../crud/test-file')

const help = `
Writes routes/<table>.sql with list, one, add, set and remove, and test/<table>.routes.test.js, from the
table's schema: plain text, meant to be changed. Never overwrites a file. Columns named like password,
hash, token, secret, role or is_admin are left out, and it says so.

  npx undercroft crud person                        for whom is logged in
  npx undercroft crud person --auth editor,admin    for one of these roles
  npx undercroft crud person --public               for everybody
  npx undercroft crud person --id uuid              ids are made for new rows, version 7

The schema is that of --db, or else what the migrations beside the folder of the routes make.
`

const PATH = /^(\/(?!\.{1,2}(\/|$)|:)[A-Za-z0-9._~!+,=@:-]+)+$/
const ROLE = /^[A-Za-z0-9_.:-]{1,64}$/

function run (ctx) {
  const { values, positionals, say, print, exitCodes } = ctx
  return refusing(ctx, async () => {
    const asked = readCommand(values, positionals)
    const target = database.readTarget(values, asked.dir)
    const { files, plan } = await database.withDatabase(target, ({ db }) => make(db, asked, target))
    write(files)
    for (const note of plan.notes) say(note)
    print({ written: files.map(([name]) => name), leftOut: plan.secret, notes: plan.notes }, files.map(([name]) => `wrote ${name}`).join('\n'))
    return exitCodes.ok
  })
}

/** What is asked for: { table, dir, path, id, roles, auth }; roles null: public. */
function readCommand ({ dir = 'routes', path, id, auth, public: isPublic = false }, [table, ...others]) {
  if (table === undefined) throw new CommandRefusal('crud: which table?', 'npx undercroft crud person')
  if (others.length > 0) throw new CommandRefusal(`crud: there is a word too many: '${others[0]}'`, 'a name with a blank in it stands in quotes')
  if (id !== undefined && id !== 'uuid') throw new CommandRefusal(`--id is uuid, not '${id}'`, 'without --id the key is as the table has it')
  if (path !== undefined && !PATH.test(path)) throw new CommandRefusal(`--path is the beginning of the routes' paths, not '${path}'`, 'it begins with / and has letters, digits and -._~!+,=@: between them: /shop/person')
  if (auth !== undefined && isPublic) throw new CommandRefusal('--auth and --public exclude each other', 'with neither, the routes are for whom is logged in')
  const roles = auth === undefined ? [] : [...new Set(auth.split(',').map((role) => role.trim()))]
  const wrong = roles.find((role) => !ROLE.test(role))
  if (wrong !== undefined) throw new CommandRefusal(`--auth is a list of roles, and '${wrong}' is none`, 'a role has letters, digits and -_.: as in --auth editor,admin')
  return { table, dir, path, id, roles: isPublic ? null : roles, auth: isPublic ? '@public' : ['@auth', ...roles].join(' ') }
}

// -> { files: [name, text][], plan }
async function make (db, asked, target) {
  if (await isServer(db)) {
    throw new CommandRefusal('UC_NOT_HERE: crud reads the schema of a SQLite database, and this one is PostgreSQL\'s',
      'write the routes by hand, in the same format, or let it read --migrations that SQLite understands', 'failed')
  }
  return filesOf(db, asked, target)
}

async function isServer (db) {
  return (await db.stats()).engine === 'postgres'
}

async function filesOf (db, { table: name, dir, path: begin, id, roles, auth }, { migrations }) {
  const table = await readTable(db, name)
  const plan = planOf(table, { id })
  const at = begin ?? `/${slug(table.name)}`
  const root = path.dirname(path.resolve(dir))
  const isModule = isModuleFolder(root)
  const testDir = path.join(path.dirname(path.normalize(dir)), 'test')
  const from = (to) => path.relative(path.resolve(testDir), path.resolve(to)).replaceAll(path.sep, '/')
  const read = (other) => readTable(db, other)
  const test = testOf(table, plan, {
    path: at,
    roles,
    isModule,
    dir: from(dir),
    schema: migrations === null ? { sql: await schemaOf(table, read) } : { migrations: from(migrations) },
    parents: await parentsOf(table, read)
  })
  return {
    plan,
    files: [
      [path.join(dir, `${slug(table.name)}.sql`), routesOf(table, plan, { path: at, auth })],
      [path.join(testDir, `${slug(table.name)}.routes.test.js`), test]
    ]
  }
}

// The tables that the test needs, those first that others refer to; triggers may need any other.
async function schemaOf (table, read, known = new Set()) {
  known.add(table.name.toLowerCase())
  const above = []
  for (const { table: name } of table.foreign) if (!known.has(name.toLowerCase())) above.push(...await schemaOf(await read(name), read, known))
  return [...above, ...table.sql.filter((sql) => !/^\s*create\s+(temp\w*\s+)?trigger\b/i.test(sql))]
}

function isModuleFolder (root) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).type === 'module'
  } catch {
    return false
  }
}

// All of them or none.
function write (files) {
  const there = files.map(([name]) => name).filter((name) => fs.existsSync(name))
  if (there.length > 0) {
    throw new CommandRefusal(`there is already ${there.join(' and ')}: nothing was written`, 'move it away first, and bring over by hand what was changed in it', 'failed')
  }
  for (const [name, text] of files) {
    fs.mkdirSync(path.dirname(name), { recursive: true })
    fs.writeFileSync(name, text, { flag: 'wx' })
  }
}

module.exports = {
  name: 'crud',
  summary: 'write the routes of a table, and their test, from its schema',
  usage: 'crud TABLE [--path /PATH] [--auth ROLE,… | --public] [--id uuid] [--dir FOLDER] [--db FILE | --migrations FOLDER]',
  help,
  options: {
    path: { type: 'string', help: 'what the paths begin with: /<table>' },
    auth: { type: 'string', help: 'the roles that may, of which one is enough' },
    public: { type: 'boolean', help: 'for everybody, without a login' },
    id: { type: 'string', help: 'uuid: new rows get one' },
    dir: { type: 'string', help: 'the folder of the routes: routes' },
    ...database.options
  },
  positionals: true,
  run
}
