'use strict'

// The page of fortunes by hand: one is added, they are sorted, and what is no HTML is escaped.

const HEAD = '<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table><tr><th>id</th><th>message</th></tr>'
const FOOT = '</table></body></html>'
const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const escaped = text => text.replace(/[&<>"']/g, character => entities[character])

function fortunesPage (rows) {
  rows.push({ id: 0, message: 'Additional fortune added at request time.' })
  rows.sort((a, b) => a.message < b.message ? -1 : 1)
  let page = HEAD
  for (const { id, message } of rows) page += `<tr><td>${id}</td><td>${escaped(message)}</td></tr>`
  return page + FOOT
}

module.exports = { fortunesPage }
