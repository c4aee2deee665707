'use strict'

// What limits a row that does not reach its target, as a profile shows it.
// RESULTS.md prints the sentence under the table while the row falls short.

module.exports = {}
