'use strict'

// What deploy/README.md says is there: each code of an error, each action, each link.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { actions } = require('../../deploy')
const { root } = require('../helper')

const text = fs.readFileSync(path.join(root, 'deploy/README.md'), 'utf8')

t.test('every code has a line that says what to do', async (t) => {
  const sources = fs.readdirSync(path.join(root, 'deploy'), { recursive: true }).filter((name) => name.endsWith('.js'))
  const codes = new Set(sources.flatMap((name) => fs.readFileSync(path.join(root, 'deploy', name), 'utf8').match(/\bUC_DEPLOY_[A-Z0-9]+(_[A-Z0-9]+)*\b/g) ?? []))
  t.ok(codes.size > 30, `${codes.size} codes`)
  const table = text.slice(text.indexOf('## When something fails'))
  const named = new Set(table.match(/`UC_DEPLOY_[A-Z0-9_]+`/g).map((code) => code.slice(1, -1)))
  t.same([...codes].filter((code) => !named.has(code)), [], 'none is missing')
  t.same([...named].filter((code) => !codes.has(code)), [], 'none is of the past')
})

t.test('the first screen says what has to be known first', async (t) => {
  const screen = text.split('\n').slice(0, 24).join('\n')
  t.match(screen, /\*\*One host for each SQLite database\.\*\*/)
  t.match(screen, /share one \[PostgreSQL\]/)
  t.match(screen, /step 1[^]*step 2/)
})

t.test('every action is in it, and links lead somewhere', async (t) => {
  for (const action of Object.keys(actions)) t.match(text, action === 'deploy' ? 'npm run deploy ' : `deploy:${action}`)
  for (const [, target] of text.matchAll(/\]\(([^)#:]+)\)/g)) t.ok(fs.existsSync(path.join(root, 'deploy', target)), target)
})
