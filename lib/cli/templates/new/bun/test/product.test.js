'use strict'

const { afterEach, expect, test } = require('bun:test')
const path = require('node:path')
const { open } = require('undercroft')

const stores = []

afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())))

// The routes over what the migrations make of an empty database.
async function service () {
  const store = open(':memory:')
  stores.push(store)
  await store.db.migrate(path.join(__dirname, '../migrations'))
  return store.routes(path.join(__dirname, '../routes'))
}

test('the list has pages', async () => {
  const routes = await service()
  const first = JSON.parse((await routes.inject('GET', '/product/list?limit=2')).body)
  const second = JSON.parse((await routes.inject('GET', `/product/list?limit=2&id=${first.next.id}`)).body)
  expect([...first.rows, ...second.rows].map(({ name }) => name)).toEqual(['lamp', 'chair', 'table'])
})

test('what is bought is no longer in stock', async () => {
  const routes = await service()
  const buy = (body) => routes.inject('POST', '/product/buy', { body })
  expect(JSON.parse((await buy({ id: 2, count: 3 })).body)).toEqual({ id: 2, stock: 1 })
  const { status, body } = await buy({ id: 2, count: 3 })
  expect([status, body]).toEqual([400, 'not so many in stock'])
})

test('a name is there once', async () => {
  const routes = await service()
  const { status, body } = await routes.inject('POST', '/product/add', { body: { name: 'lamp', cents: 100 } })
  expect([status, body]).toEqual([400, 'that name is taken'])
})

test('what is wrong with a parameter is said', async () => {
  const routes = await service()
  const { status, body } = await routes.inject('GET', '/product/list?limit=1000')
  expect(status).toBe(400)
  expect(body).toMatch(/^limit: /)
})
