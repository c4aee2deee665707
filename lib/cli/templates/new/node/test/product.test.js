'use strict'

const test = require('node:test')
const assert = require('node:assert')
const path = require('node:path')
const { open } = require('undercroft')

// The routes over what the migrations make of an empty database.
async function service (t) {
  const store = open(':memory:')
  t.after(() => store.close())
  await store.db.migrate(path.join(__dirname, '../migrations'))
  return store.routes(path.join(__dirname, '../routes'))
}

test('the list has pages', async (t) => {
  const routes = await service(t)
  const first = JSON.parse((await routes.inject('GET', '/product/list?limit=2')).body)
  const second = JSON.parse((await routes.inject('GET', `/product/list?limit=2&id=${first.next.id}`)).body)
  assert.deepStrictEqual([...first.rows, ...second.rows].map(({ name }) => name), ['lamp', 'chair', 'table'])
})

test('what is bought is no longer in stock', async (t) => {
  const routes = await service(t)
  const buy = (body) => routes.inject('POST', '/product/buy', { body })
  assert.deepStrictEqual(JSON.parse((await buy({ id: 2, count: 3 })).body), { id: 2, stock: 1 })
  const { status, body } = await buy({ id: 2, count: 3 })
  assert.deepStrictEqual([status, body], [400, 'not so many in stock'])
})

test('a name is there once', async (t) => {
  const routes = await service(t)
  const { status, body } = await routes.inject('POST', '/product/add', { body: { name: 'lamp', cents: 100 } })
  assert.deepStrictEqual([status, body], [400, 'that name is taken'])
})

test('what is wrong with a parameter is said', async (t) => {
  const routes = await service(t)
  const { status, body } = await routes.inject('GET', '/product/list?limit=1000')
  assert.strictEqual(status, 400)
  assert.match(body, /^limit: /)
})
