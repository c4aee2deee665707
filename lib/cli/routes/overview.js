'use strict'
// The list of routes as a table, and who may call which.

const { table } = require('../../base/format')

const TICK = 'x'
const NO = '-'

const audienceOf = ({ public: isPublic, roles }) => isPublic ? 'public' : roles.length === 0 ? 'logged in' : roles.join(', ')

const isRequired = ({ optional, preset }) => !optional && preset === null

const wordOf = (param) => isRequired(param) ? param.name : `${param.name}?`

/** Every route on a line. */
function overview (routes) {
  return table(['method', 'path', 'answer', 'who', 'where', 'parameters'], routes.map((route) => [
    route.method,
    route.path,
    route.form,
    audienceOf(route),
    `${route.file}:${route.line}`,
    route.params.map(wordOf).join(', ') || NO
  ]))
}

/**
 * Route × role.
 *
 * @param {object[]} routes
 * @returns {{ columns: string[], rows: { method: string, path: string, may: boolean[] }[] }} columns: nobody
 *   in particular, anybody who is logged in, then each role that a file names
 */
function matrix (routes) {
  const roles = [...new Set(routes.flatMap((route) => route.roles))].sort()
  const rows = routes.map(({ method, path, public: isPublic, roles: own }) => {
    const isOpen = isPublic || own.length === 0
    return { method, path, may: [isPublic, isOpen, ...roles.map((role) => isOpen || own.includes(role))] }
  })
  return { columns: ['anyone', 'logged in', ...roles], rows }
}

function matrixText ({ columns, rows }) {
  return table(['method', 'path', ...columns], rows.map(({ method, path, may }) => [method, path, ...may.map((yes) => yes ? TICK : NO)]))
}

module.exports = { isRequired, matrix, matrixText, overview }
