'use strict'
// Makes lib/base/tables.js: the operations, the error codes and the options of the core, read from the C
// sources that define them, so that no list of them is kept by hand in two languages.
//
//   node .ci/tables.js           writes it
//   node .ci/tables.js --check   says whether it is up to date (exit code 1: it is not)

const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')
const output = path.join(root, 'lib/base/tables.js')
const read = name => fs.readFileSync(path.join(root, name), 'utf8').replaceAll(/\\\n/g, '\n')

class TablesError extends Error {}

// The rows X(a, b, ...) of a macro, each a list of texts.
function rows (file, macro, columns) {
  const text = read(file)
  const start = text.indexOf(`#define ${macro}(X)`)
  const end = text.indexOf('\n\n', start)
  if (start < 0) throw new TablesError(`${file} has no ${macro}`)
  const found = [...text.slice(start, end).matchAll(/\bX\(([^()]*)\)/g)]
    .map(match => match[1].split(',').map(cell => cell.trim()))
  for (const row of found) {
    if (row.length !== columns) throw new TablesError(`${file}: X(${row.join(', ')}) has ${row.length} columns of ${columns}`)
  }
  if (found.length === 0) throw new TablesError(`${file}: ${macro} is empty`)
  return found
}

function operations () {
  return rows('csrc/core/desk/op.h', 'UC_OP_MAP', 6).map(([number, name, , , , flags]) => {
    const words = flags === '0' ? [] : flags.split('|').map(flag => flag.trim().replace(/^UC_/, '').toLowerCase())
    return `  ${name.toUpperCase()}: { number: ${number}, flags: [${words.map(word => `'${word}'`).join(', ')}] }`
  })
}

function codes () {
  return rows('csrc/core/common/err.h', 'UC_CODE_MAP', 3).map(([code, kind, retryable]) =>
    `  ${code}: { kind: '${JSON.parse(kind)}', retryable: ${retryable} }`)
}

const LEVELS = ['off', 'normal', 'full', 'extra']
const PREPARES = ['auto', 'named', 'unnamed']

// The rows of the client's table of options: only what users see.
function options () {
  const header = 'csrc/core/desk/options.h'
  const numbers = rows(header, 'UC_OPTION_MAP', 7).filter(([, name]) => name !== 'NULL')
  const pairs = rows(header, 'UC_PAIRS_MAP', 3)
  const quoted = value => `'${value}'`
  const row = (name, cells, where) => {
    if (where !== 'FILE') cells.push(['where', quoted(where.toLowerCase())])
    return `  ${JSON.parse(name)}: { ${cells.map(([key, value]) => `${key}: ${value}`).join(', ')} }`
  }
  const cellsOf = (kind, value, min, max) => {
    switch (kind) {
      case 'FLAG': return [['type', quoted('boolean')], ['value', value === '1']]
      case 'LEVEL': return [['type', quoted('choice')], ['value', quoted(value.replace('UC_SYNC_', '').toLowerCase())], ['of', `[${LEVELS.map(quoted).join(', ')}]`]]
      case 'PREPARE': return [['type', quoted('choice')], ['value', quoted(value.replace('UC_PREPARE_', '').toLowerCase())], ['of', `[${PREPARES.map(quoted).join(', ')}]`]]
      default: return [['type', quoted('integer')], ['unit', quoted(kind.toLowerCase())], ['value', value], ['min', min], ['max', max]]
    }
  }
  return [
    ...numbers.map(([key, name, kind, value, min, max, where]) =>
      row(name, [...cellsOf(kind, value, min, max), ['wire', quoted(key)]], where)),
    ...pairs.map(([key, name, where]) => row(name, [['type', quoted(key)], ['value', 'null'], ['wire', quoted(key)]], where))
  ]
}

function text () {
  return `'use strict'

// Made by node .ci/tables.js from csrc/core/desk/op.h, csrc/core/common/err.h and csrc/core/desk/options.h:
// change those.

// Each operation: its number on the wire, for ever, and what it is (op.h says what the words mean).
const operations = {
${operations().join(',\n')}
}

// The error codes of the core: the kind, which is the same over engines, and whether the same
// call may succeed when it is simply repeated.
const codes = {
${codes().join(',\n')}
}

// The options of a file and of its handles: default, bounds, and the core's name (wire). Without a \`where\`
// it belongs to the database and whoever opens the file, with 'handle' to each end.
const options = {
${options().join(',\n')}
}

module.exports = { operations, codes, options }
`
}

module.exports = { text, output }

if (require.main === module) {
  const wanted = text()
  const isFresh = fs.existsSync(output) && fs.readFileSync(output, 'utf8') === wanted
  if (process.argv.includes('--check')) {
    if (!isFresh) console.error('lib/base/tables.js is not what the C sources say: node .ci/tables.js')
    process.exitCode = isFresh ? 0 : 1
  } else if (!isFresh) {
    fs.writeFileSync(output, wanted)
    console.log('lib/base/tables.js written')
  }
}
