'use strict'
// npx undercroft new: a service in a folder of its own, from the files in templates/new.

const fs = require('node:fs')
const path = require('node:path')
const { version } = require('../../../package.json')
const { CommandRefusal, refusing } = require('../refusal')

const help = `
Makes a folder with a small service: routes in SQL files, a migration, a server and a test. It answers
after npm install and npm start, and npm test is green. The folder must not be there yet, or be empty.

  npx undercroft new shop
  npx undercroft new shop --bun     for Bun.serve and bun test
`

const templates = path.join(__dirname, '../templates/new')

// npm keeps no .gitignore in a package.
const names = { gitignore: '.gitignore' }

// What depends on where it goes.
const edits = {
  'package.json': (text, name) => {
    const pkg = JSON.parse(text)
    return `${JSON.stringify({ ...pkg, name, dependencies: { undercroft: `^${version}` } }, null, 2)}\n`
  },
  'README.md': (text, name) => text.replace(/^# .*/, `# ${name}`)
}

function run (ctx) {
  const { values, positionals, print, exitCodes } = ctx
  return refusing(ctx, async () => {
    const { dir, name } = readPlace(positionals)
    const files = filesOf(values.bun ? 'bun' : 'node', name)
    for (const [file, text] of files) {
      fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true })
      fs.writeFileSync(path.join(dir, file), text, { flag: 'wx' })
    }
    const written = files.map(([file]) => path.join(dir, file))
    print({ name, dir, written }, said(dir, written))
    return exitCodes.ok
  })
}

function readPlace ([dir, ...others]) {
  if (dir === undefined) throw new CommandRefusal('new: which folder?', 'npx undercroft new shop')
  if (others.length > 0) throw new CommandRefusal(`new: there is a word too many: '${others[0]}'`, 'npx undercroft new shop')
  const name = path.basename(path.resolve(dir)).toLowerCase().replace(/[^a-z0-9._-]+/g, '-').replace(/^[._-]+|-+$/g, '')
  if (name === '' || name.length > 214) throw new CommandRefusal(`'${dir}' gives no name for a package`, 'a name has letters, digits and -: npx undercroft new shop')
  if (name === 'undercroft') throw new CommandRefusal("a package of the name 'undercroft' could not depend on undercroft", 'give it another name')
  const stat = fs.statSync(dir, { throwIfNoEntry: false })
  if (stat !== undefined && !stat.isDirectory()) throw new CommandRefusal(`${dir} is a file`, 'give the folder another name', 'failed')
  if (stat !== undefined && fs.readdirSync(dir).length > 0) throw new CommandRefusal(`the folder ${dir} is not empty: nothing was written`, 'give it another name, or move away what is in it', 'failed')
  return { dir, name }
}

// -> [file, text][], sorted
function filesOf (runtime, name) {
  const out = []
  for (const part of ['common', runtime]) {
    const from = path.join(templates, part)
    for (const entry of fs.readdirSync(from, { recursive: true })) {
      if (fs.statSync(path.join(from, entry)).isDirectory()) continue
      const text = fs.readFileSync(path.join(from, entry), 'utf8')
      out.push([names[entry] ?? entry, edits[entry]?.(text, name) ?? text])
    }
  }
  return out.sort(([a], [b]) => a < b ? -1 : 1)
}

function said (dir, written) {
  return `${written.map((file) => `wrote ${file}`).join('\n')}

  cd ${dir}
  npm install
  npm start      # http://127.0.0.1:4000/product/list
  npm test`
}

module.exports = {
  name: 'new',
  summary: 'a new service: routes, migrations, a server and a test',
  usage: 'new FOLDER [--bun]',
  help,
  options: {
    bun: { type: 'boolean', help: 'for Bun: Bun.serve and bun test' }
  },
  positionals: true,
  run
}
