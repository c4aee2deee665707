import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd'
import undercroft, {
  BatchResult, ChangeStream, Database, Door, ErrorCode, Health, NotificationStream, Page, Row, RowStream, RunResult, Snapshot, Stats, Store, TableChanges, Transaction,
  UndercroftError, open, uuidv7
} from '../..'

interface User {
  id: number
  name: string
  age: number | null
  photo: Buffer | null
}

// Opening.
const store = open('app.db', { synchronous: 'normal', attach: { aux: new URL('file:///a.db') }, pragmas: { cache_size: -2000 } })
expectType<Store>(store)
expectType<Store>(undercroft.open(':memory:'))
expectType<Promise<Store>>(store.ready)
expectType<Promise<Door>>(store.door())
expectType<Promise<void>>(store.close())
expectType<void>(store.destroy(new Error('why')))
expectError(open())
expectError(open('a.db', { synchronus: 'full' }))
expectError(open('a.db', { synchronous: 'sometimes' }))
// @ts-expect-error the constructor is private
Reflect.ownKeys(new Store())

// The verbs.
const { db } = store
expectType<Database>(db)
expectType<Promise<User | undefined>>(db.get<User>('select * from user where id = ?', [1], { timeoutMs: 200, signal: new AbortController().signal }))
expectType<Promise<Row | undefined>>(db.get('select 1'))
expectType<Promise<User[]>>(db.all<User>('select * from user where name = :name', { name: 'a' }))
expectType<Promise<Array<[number, string]>>>(db.values<[number, string]>('select id, name from user'))
expectType<Promise<Buffer>>(db.json('select 1'))
expectType<Promise<RunResult>>(db.run('insert into user values (?, ?, ?)', [1n, new Date(), new Uint8Array(2)]))
expectType<Promise<RunResult>>(db.many('insert into user(name) values (?)', [['a'], ['b']]))
expectType<Promise<RunResult>>(db.many('insert into user(name) values (:n)', new Set([{ n: 'a' }])))
expectType<Promise<BatchResult[]>>(db.batch([['select 1'], ['select ?', [2]], 'select 3']))
expectType<Promise<RunResult>>(db.run('delete from user', [], { once: 'key', timeoutMs: 5 }))
expectType<Promise<RunResult>>(db.many('insert into user(name) values (?)', [['a']], { once: 'key' }))
expectType<Promise<BatchResult[]>>(db.batch(['delete from user'], { once: 'key' }))
expectError(db.get('select 1', [], { once: 'key' }))
expectError(db.exec('delete from user', { once: 'key' }))
expectError(db.transaction((tx) => tx.run('delete from user', [], { once: 'key' })))
expectError(db.get('select ?', [undefined]))
expectError(db.get('select ?', 5))
expectError(db.get('select ?', [{}]))
expectError(db.get('select ?', [1], { timeout: 5 }))
expectError(db.get(5))

// Streams.
const stream = db.iterate<User>('select * from user')
expectType<RowStream<User>>(stream)
expectAssignable<AsyncIterable<User>>(stream)
expectAssignable<AsyncDisposable>(stream)

// Changes.
expectType<ChangeStream>(db.watch())
expectType<NotificationStream>(db.listen('orders'))
expectType<Promise<void>>(db.listen('orders', { signal: new AbortController().signal }).ready)
expectType<ChangeStream>(db.watch(['user'], { signal: new AbortController().signal }))
db.watch('user').next().then((step) => { if (step.done !== true) expectType<TableChanges>(step.value) })
expectError(db.watch(5))
expectError(db.watch('user', { timeoutMs: 5 }))

// Transactions and snapshots.
expectType<Promise<number>>(db.transaction(async (tx) => {
  expectType<Transaction>(tx)
  await tx.transaction(async (nested) => nested.run('delete from user'))
  return 5
}))
expectType<Promise<User[]>>(db.snapshot((s) => {
  expectType<Snapshot>(s)
  expectError(s.run('delete from user'))
  return s.all<User>('select * from user')
}))

// Statements.
const statement = db.prepare<User>('select * from user where id = ?')
expectType<Promise<User | undefined>>(statement.get([1]))
expectType<string>(statement.sql)

// Blocking calls.
expectType<User | undefined>(db.sync.get<User>('select 1'))
expectType<IterableIterator<User>>(db.sync.iterate<User>('select 1'))
expectType<number>(db.sync.transaction(() => 5))
expectError(db.sync.get('select 1', [], { signal: new AbortController().signal }))
db.sync.function('add', (a: number, b: number) => a + b)
db.sync.function('add', { deterministic: true, varargs: true }, (...all: number[]) => all.length)
db.sync.aggregate('list', { start: (): string[] => [], step: (list, value) => [...list, String(value)], result: (list) => list.join() })
expectError(db.sync.function('add', { determinstic: true }, () => 1))

// Upkeep.
expectType<Promise<Stats>>(db.stats())
expectType<Promise<Health>>(db.health())
db.stats().then((stats) => {
  expectType<number>(stats.wal.bytes)
  expectType<string>(stats.statements[0].sql)
})
db.migrate('migrations', { dryRun: true, timeoutMs: 5000, signal: new AbortController().signal, onProgress: ({ name, ms }) => { expectType<string>(name); expectType<number | null>(ms) } })
  .then((result) => expectType<number | null>(result.current))
db.backup('copy.db', { pagesPerStep: 100, onProgress: ({ percent }) => expectType<number>(percent) })
  .then((done) => expectType<number>(done.pages))
expectType<Promise<void>>(db.restore('copy.db'))
expectError(db.migrate('migrations', { table: 'x' }))

// Errors.
const error = new UndercroftError('UC_BUSY', 'busy')
expectType<ErrorCode>(error.code)
expectAssignable<Error>(error)
if (error.code === 'UC_TIMEOUT') expectType<'UC_TIMEOUT'>(error.code)
expectAssignable<ErrorCode>('SQLITE_CONSTRAINT_UNIQUE')
expectNotAssignable<ErrorCode>('UC_NOPE')
expectType<'not-run' | 'unknown' | 'not-sent' | undefined>(error.outcome)
expectError(new UndercroftError('UC_NOPE', ''))

// A page of anything.
expectAssignable<Page<Row>>({ rows: [{ a: 1 }], next: null, prev: 5, total: 3 })

// COPY and identifiers.
expectType<Promise<{ changes: number }>>(store.db.copyFrom('"user"(name, age)', [['Ada', 36], ['Grace', null]]))
expectType<Promise<{ changes: number }>>(store.db.copyFrom('"user"', [{ name: 'Ada', tags: ['a', null], doc: { a: [1] }, at: new Date() }], { timeoutMs: 1000 }))
expectAssignable<Promise<{ changes: number }>>(store.db.copyFrom('"user"', store.db.copyTo('select 1', { format: 'binary' }), { format: 'binary' }))
expectError(store.db.copyTo('select 1', { format: 'json' }))
expectError(store.db.copyFrom('"user"', [1, 2]))
expectType<string>(uuidv7())
expectType<string>(undercroft.uuidv7())
