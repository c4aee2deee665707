'use strict'
// Runs as the body of a function (require, start, rest): turns the sources that
// came over stdin into modules, which see each other and those of the runtime.
// `start` is { files, init }, `rest` what came behind it.
/* global start, rest */

const { compileFunction } = require('node:vm')
const path = require('node:path').posix
const builtin = require
const modules = new Map()

function load (name) {
  if (modules.has(name)) return modules.get(name).exports
  const module = { exports: {} }
  modules.set(name, module)
  const local = id => /^\.\.?\//.test(id) ? load(find(path.join(path.dirname(name), id))) : builtin(id)
  // A file that is also run by itself compares require.main with its module.
  local.main = null
  compileFunction(start.files[name], ['module', 'exports', 'require'], { filename: `agent:${name}` })(module, module.exports, local)
  return module.exports
}

function find (name) {
  const found = [name, `${name}.js`, `${name}/index.js`].find(file => Object.hasOwn(start.files, file))
  if (!found) throw new Error(`the agent has no file ${name}`)
  return found
}

load('agent/main.js').main({ ...start, rest, load })
