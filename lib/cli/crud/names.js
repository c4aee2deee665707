'use strict'
// Names of tables and columns, as SQL has them and as parameters and paths may be called.

// sqlite.org/lang_keywords.html, and what PostgreSQL reserves besides: a plain name that is none of
// them means the same to both.
const KEYWORDS = new Set(('abort action add after all alter always analyse analyze and any array as asc asymmetric attach authorization ' +
  'autoincrement before begin between binary both by cascade case cast check collate collation column commit concurrently conflict ' +
  'constraint create cross current current_catalog current_date current_role current_schema current_time current_timestamp current_user ' +
  'database default deferrable deferred delete desc detach distinct do drop each else end escape except exclude exclusive exists explain ' +
  'fail false fetch filter first following for foreign freeze from full generated glob grant group groups having if ignore ilike immediate ' +
  'in index indexed initially inner insert instead intersect into is isnull join key last lateral leading left like limit localtime ' +
  'localtimestamp match materialized natural no not nothing notnull null nulls of offset on only or order others outer over overlaps ' +
  'partition placing plan pragma preceding primary query raise range recursive references refuse regexp reindex release rename replace restrict ' +
  'returning right rollback row rows savepoint select session_user set similar some symmetric system_user table tablesample temp temporary ' +
  'then ties to trailing transaction trigger true unbounded union unique update user using vacuum values variadic verbose view virtual when ' +
  'where window with within without').split(' '))

const LONGEST = 64

/** A name in SQL: plain where that is the same name, otherwise in quotes. */
function sqlName (name) {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name) ? name : `"${name.replaceAll('"', '""')}"`
}

// Letters, digits and _ of what may be any text.
const plain = (name) => name.normalize('NFKD').replace(/\p{M}/gu, '').replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '')

/** Parameters' names: each different, none of them the service's, which begin with _. */
class ParamNames {
  #used = new Set()

  /** @param {string} wanted */
  take (wanted) {
    let base = plain(wanted).slice(0, LONGEST - 4) || 'p'
    if (/^\d/.test(base)) base = `p${base}`
    let name = base
    for (let n = 2; this.#used.has(name); n++) name = `${base}_${n}`
    this.#used.add(name)
    return name
  }
}

/** A table's name as part of a path, and as the name of a file. */
const slug = (name) => plain(name).toLowerCase().replaceAll('_', '-') || 'table'

/** A name in a sentence, on one line. */
const words = (name) => name.replaceAll(/[\s_]+/g, ' ').trim()

module.exports = { ParamNames, slug, sqlName, words }
