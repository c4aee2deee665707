'use strict'
// What a route is called in JavaScript, TypeScript and OpenAPI: GET /dmail/user/q is dmailUserQ.

// Of the module in strict mode, and what its first half has already.
const TAKEN = new Set(('arguments await break case catch class const continue debugger default delete do else enum eval export ' +
  'extends false finally for function if implements import in instanceof interface let new null package private protected public ' +
  'return static super switch this throw true try typeof undefined var void while with yield ' +
  'call configure settings textOf').split(' '))

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1)

function camel (path) {
  const words = path.split(/[^A-Za-z0-9]+/).filter(Boolean)
  const name = words.map((word, i) => i === 0 ? word.charAt(0).toLowerCase() + word.slice(1) : capital(word)).join('')
  if (name === '') return 'root'
  return /^\d/.test(name) || TAKEN.has(name) ? `_${name}` : name
}

/**
 * A name for each route, in their order; the same as long as no route comes before it that would have
 * the same one. Of a GET and a POST with one path the POST is postX.
 *
 * @param {{ method: string, path: string }[]} routes
 * @returns {string[]}
 */
function namesOf (routes) {
  const gets = new Set(routes.filter(({ method }) => method === 'GET').map(({ path }) => path))
  const used = new Set()
  return routes.map(({ method, path }) => {
    const plain = camel(path)
    const name = method === 'POST' && gets.has(path) ? `post${capital(plain.replace(/^_/, ''))}` : plain
    return unused(name, used)
  })
}

// Two that differ in their case would have one type.
function unused (name, used) {
  let free = name
  for (let n = 2; used.has(free.toLowerCase()); n++) free = `${name}${n}`
  used.add(free.toLowerCase())
  return free
}

const typeName = (name) => capital(name.replace(/^_(?=[a-z])/, ''))

module.exports = { namesOf, typeName }
