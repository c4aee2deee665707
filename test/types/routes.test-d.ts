import { createServer } from 'node:http'
import { expectError, expectType } from 'tsd'
import * as v from 'valibot'
import { Injected, Route, Routes, StandardSchema, open } from '../..'

const store = open('app.db')
const routes = store.routes('routes', {
  statuses: 'fine',
  bodyMost: 65536,
  origins: ['https://shop.example'],
  timeoutMs: 500,
  trustProxy: ['unix', '10.0.0.0/8'],
  user: async (request) => request.header('cookie') === undefined ? null : { user: 7, roles: ['editor'] },
  log: store.log,
  watch: true
})
expectType<Routes>(routes)
store.routes(new URL('file:///srv/routes'), { log: true, user: () => false, trustProxy: false })
expectError(store.routes(5))
expectError(store.routes('routes', { statuses: 'all' }))
expectError(store.routes('routes', { user: () => 'ada' }))

createServer(routes.node())
createServer(routes.node((req, res) => { res.end(req.url) }))
expectType<Promise<Response>>(routes.fetch(new Request('http://x/')))
expectType<Promise<Injected>>(routes.inject('POST', '/user', { body: { name: 'Ada' }, user: 7, roles: ['editor'] }))
expectType<{ status: number, type: string, headers: Record<string, string>, body: string }>(routes.answer(new Error('x')))
expectType<Route[]>(routes.list())
expectType<Promise<Routes>>(routes.ready)
expectType<Promise<Routes>>(routes.reload())
expectType<void>(routes.close())

routes
  .get('/plain', { public: true }, (query) => { expectType<Record<string, string | string[]>>(query) })
  .get('/sum', { public: true, schema: v.object({ a: v.string() }) }, ({ a }, context) => {
    expectType<string>(a)
    expectType<AbortSignal>(context.signal)
    context.set('set-cookie', 'a=1')
    expectType<string | number | bigint | null>(context.user)
    return context.reply(Buffer.alloc(1), { type: 'image/png' })
  })
  .post('/note', { auth: ['editor'], schema: {} as StandardSchema<unknown, { at: Date }> }, ({ at }, { refuse }) => {
    expectType<Date>(at)
    return refuse('no')
  })
  .post('/any', { auth: true }, (body) => { expectType<any>(body) })
expectError(routes.get('/nobody', {}, () => 1))
expectError(routes.get('/both', { public: true, auth: true }, () => 1))
expectError(routes.get('/none', { public: true }))
expectError(routes.get('/schema', { public: true, schema: {} }, () => 1))
