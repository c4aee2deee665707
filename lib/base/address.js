'use strict'

// The address of a database at a server: postgres://user:password@host:port/name?option=value.
// What stands in it the core knows (csrc/core/data/pg/uri.c); here it is told from a path, and shown.

const ADDRESS = /^postgres(ql)?:\/\//

/** @param {string} target */
function isAddress (target) {
  return ADDRESS.test(target)
}

/**
 * What may be shown of it: *** in place of what may be a password, rather too much than too little. A
 * password that holds a / or a ? without an escape is not understood, and not shown for that.
 *
 * @param {string} address
 */
function shown (address) {
  const [scheme] = ADDRESS.exec(address)
  const rest = address.slice(scheme.length)
  const colon = rest.indexOf(':')
  const at = rest.indexOf('@')
  let head = ''
  let tail = rest
  if (colon >= 0 && at > colon) {
    const question = rest.indexOf('?')
    const before = question < 0 ? -1 : rest.lastIndexOf('@', question)
    const last = before >= 0 ? before : rest.lastIndexOf('@')
    head = `${rest.slice(0, colon + 1)}***`
    tail = rest.slice(last)
  }
  const question = tail.indexOf('?')
  if (question < 0) return scheme + head + tail
  const options = tail.slice(question + 1).split('&').map((option) => {
    const equals = option.indexOf('=')
    const name = option.slice(0, Math.max(equals, 0))
    // A name with an escape may be any.
    return /^(ssl)?password$/.test(name) || name.includes('%') ? `${name}=***` : option
  })
  return `${scheme}${head}${tail.slice(0, question + 1)}${options.join('&')}`
}

module.exports = { isAddress, shown }
