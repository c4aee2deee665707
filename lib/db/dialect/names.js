'use strict'

// names - identifiers, quoted for SQL.

function quote (name) {
  return '"' + name.replaceAll('"', '""') + '"'
}

module.exports = { quote }
