import { expectError, expectType } from 'tsd'
import { Page, Row, RowStream, RunResult, Table, open } from '../..'

interface User {
  id: number
  name: string
  age: number | null
  created_at: string | null
  photo: Buffer | null
}

const { db } = open(':memory:')
const users = db.table<User>('user')
expectType<Table<User>>(users)

// Reading.
expectType<Promise<User | undefined>>(users.get(1))
expectType<Promise<User | undefined>>(users.get({ name: 'a' }))
expectType<Promise<User | undefined>>(users.get(['a', 1]))
expectType<Promise<Pick<User, 'id' | 'name'> | undefined>>(users.get(1, { columns: ['id', 'name'] }))
expectType<Promise<Array<Pick<User, 'name'>>>>(users.find({ columns: ['name'] }))
users.find().then((rows) => expectType<number | null>(rows[0].age))
users.find({ where: { name: '2---', age: 4 }, after: 354757, limit: 10 })
users.find({ where: { age: { gte: 18, lt: 65 }, name: ['a', 'b'], photo: null, created_at: { lt: new Date() } } })
users.find({ where: { or: [{ age: 1 }, { not: { name: { like: 'a%' } } }], and: [{ rowid: 5 }] } })
users.find({ order: { created_at: 'desc' }, after: [null, 5] })
users.find({ order: ['name', { id: 'desc' }], before: { name: 'a', id: 5 } })
expectType<Promise<Page<Pick<User, 'id'>>>>(users.page({ columns: ['id'], total: true }))
users.page({ limit: 5 }).then(async ({ next }) => next !== null && users.page({ after: next as number }))
expectType<Promise<number>>(users.count({ age: { isNull: true } }))
expectType<Promise<Buffer>>(users.json({ where: { age: 5 } }))
expectType<RowStream<Pick<User, 'id'>>>(users.iterate({ where: { age: 4 }, columns: ['id'] }))
expectError(users.find({ where: { nmae: 'a' } }))
expectError(users.find({ where: { name: 5 } }))
expectError(users.find({ where: { age: { gte: 'x' } } }))
expectError(users.find({ where: { age: { over: 5 } } }))
expectError(users.find({ order: { nmae: 'asc' } }))
expectError(users.find({ order: { name: 'down' } }))
expectError(users.find({ columns: ['nope'] }))
expectError(users.find({ total: true }))
expectError(users.get(undefined))
expectError(users.iterate({ limit: 5 }))

// Writing.
expectType<Promise<RunResult>>(users.insert({ name: 'a', age: 4, created_at: new Date() }))
expectType<Promise<User>>(users.insert({ name: 'a' }, { returning: true }))
expectType<Promise<Pick<User, 'id'>>>(users.insert({ name: 'a' }, { returning: ['id'] }))
expectType<Promise<RunResult>>(users.insertMany([{ name: 'a' }, { name: 'b' }]))
expectType<Promise<RunResult>>(users.upsert({ id: 1, name: 'a' }, { conflict: ['id'] }))
expectType<Promise<User>>(users.upsert({ id: 1, name: 'a' }, { conflict: 'name', returning: true }))
expectType<Promise<RunResult>>(users.update(1, { age: null }))
expectType<Promise<RunResult>>(users.update({}, { age: 5 }, { all: true }))
expectType<Promise<RunResult>>(users.delete({ id: [1, 2] }))
expectError(users.insert({ nmae: 'a' }))
expectError(users.insert({ name: 5 }))
expectError(users.update(1, { name: 5 }))
expectError(users.upsert({ id: 1 }, { conflict: 'nope' }))
expectError(users.delete())

// A stricter type for new rows.
const strict = db.table<User, { name: string, age?: number }>('user')
strict.insert({ name: 'a' })
expectError(strict.insert({ age: 4 }))

// Without a type everything goes.
const loose = db.table('user')
expectType<Promise<Row | undefined>>(loose.get(1))
loose.find({ where: { anything: 5, other: { gt: 3 } }, order: { x: 'desc' }, columns: ['y'] })
loose.insert({ anything: true })

// In transactions and snapshots too.
db.transaction(async (tx) => tx.table<User>('user').insert({ name: 'a' }))
db.snapshot(async (s) => s.table<User>('user').find())
