'use strict'

// Rows in COPY's text format, as a program by hand would make them: values have no tab and no backslash.

function * copyText (rows, size = 1000) {
  let text = ''
  let n = 0
  for (const row of rows) {
    text += `${row.join('\t')}\n`
    if (++n % size === 0) {
      yield text
      text = ''
    }
  }
  if (text !== '') yield text
}

module.exports = { copyText }
