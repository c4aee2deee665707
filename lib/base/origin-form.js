'use strict'

/**
 * /path?query of what may be a whole URL (RFC 9112, section 3.2.2). Bun gives a Request a path alone
 * where the client named no host, which new URL() refuses.
 */
function originForm (url) {
  if (url.charCodeAt(0) === SLASH) return url
  const scheme = url.indexOf('://')
  if (scheme < 0 || !SCHEME.test(url)) return url
  const slash = url.indexOf('/', scheme + 3)
  const question = url.indexOf('?', scheme + 3)
  if (question >= 0 && (slash < 0 || question < slash)) return '/' + url.slice(question)
  return slash < 0 ? '/' : url.slice(slash)
}

const SLASH = 47
const SCHEME = /^https?:/i

module.exports = { originForm }
