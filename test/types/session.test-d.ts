import { createServer } from 'node:http'
import { expectError, expectType } from 'tsd'
import { open } from '../..'
import session = require('../../lib/types/session')

const store = open('app.db')
const sessions = session(store, {
  secure: true, trustProxy: ['10.0.0.1'], idleMs: 3600_000, limit: { tries: 3 }, passwords: { argon2id: { m: 47104, t: 1 } }, log: store.log
})
expectType<session.Sessions>(sessions)
expectType<string>(session.migration.sqlite)
expectType<Promise<string>>(session.passwords({ algorithm: 'scrypt' }).hash('x'))
expectType<Promise<{ ok: boolean, rehash: boolean }>>(sessions.verify('x', '$scrypt$'))

const { of } = sessions
createServer(async (req, res) => {
  const made = await sessions.login(req, JSON.parse(''), async (name) => ({ user: 7, roles: ['editor'], hash: name, save: (phc) => phc.length }))
  if (made === null) return
  expectType<string>(made.cookie)
  expectType<session.User>(made.user)
  const who = await of(req)
  expectType<session.LoggedIn | null>(who)
  if (who !== null) expectType<Promise<number>>(sessions.endOthers(who))
  res.setHeader('set-cookie', await sessions.logout(req))
})
expectType<Promise<session.LoggedIn | null>>(of(new Request('http://h/')))
store.routes('routes', { user: of })
sessions.list(7).then(([first]) => expectType<string | null>(first.ip))
expectType<Promise<boolean>>(sessions.end('x', 7))
expectType<Promise<number>>(sessions.setRoles('ada', ['reader']))
sessions.limit?.take({ name: 'reset ada', ip: null }).then((one) => one.succeed())

expectError(session())
expectError(session(store, { idle: 5 }))
expectError(session(store, { trustProxy: 7 }))
expectError(sessions.create({ user: {} }))
expectError(sessions.login(5, {}, () => null))
