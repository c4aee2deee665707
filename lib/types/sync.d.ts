import { Integers } from './options'
import { Params, Row, RunResult, SqlInput, SqlValue, Values } from './values'
import { BatchItem, BatchResult } from './database'

export interface SyncOptions {
  timeoutMs?: number
  integers?: Integers
}

export interface SyncStatement<T = Row> {
  readonly sql: string
  get (params?: Params, options?: SyncOptions): T | undefined
  all (params?: Params, options?: SyncOptions): T[]
  values<V extends unknown[] = Values> (params?: Params, options?: SyncOptions): V[]
  json (params?: Params, options?: SyncOptions): Buffer
  iterate (params?: Params, options?: SyncOptions): IterableIterator<T>
  run (params?: Params, options?: SyncOptions): RunResult
  many (rows: Iterable<Params>, options?: SyncOptions): RunResult
}

export interface FunctionOptions {
  /** The same arguments always give the same result: it may serve an index or a generated
   * column. Writes that need it then have to be blocking ones, of a handle that has the function. */
  deterministic?: boolean
  /** Not from views, triggers and the schema. */
  directOnly?: boolean
  /** Any number of arguments; otherwise as many as the function declares. */
  varargs?: boolean
}

export interface AggregateOptions<A, R extends SqlInput | undefined | void = SqlInput> {
  start: A | (() => A)
  step: (accumulator: A, ...args: SqlValue[]) => A
  /** Default: the accumulator itself. */
  result?: (accumulator: A) => R
  deterministic?: boolean
  directOnly?: boolean
  varargs?: boolean
}

/** The verbs, blocking: each stops the event loop until it is done. */
export interface Sync {
  get<T = Row> (sql: string, params?: Params, options?: SyncOptions): T | undefined
  all<T = Row> (sql: string, params?: Params, options?: SyncOptions): T[]
  values<T extends unknown[] = Values> (sql: string, params?: Params, options?: SyncOptions): T[]
  json (sql: string, params?: Params, options?: SyncOptions): Buffer
  run (sql: string, params?: Params, options?: SyncOptions): RunResult
  exec (sql: string, options?: SyncOptions): RunResult
  many (sql: string, rows: Iterable<Params>, options?: SyncOptions): RunResult
  batch<R extends BatchResult[] = BatchResult[]> (statements: readonly BatchItem[], options?: SyncOptions): R
  iterate<T = Row> (sql: string, params?: Params, options?: SyncOptions): IterableIterator<T>
  prepare<T = Row> (sql: string): SyncStatement<T>
  /** Within another one: a savepoint. fn must not return a promise. */
  transaction<R> (fn: (sync: Sync) => R): R extends PromiseLike<unknown> ? never : R
  /** A function for the SQL of blocking calls; it runs on this thread. */
  function (name: string, fn: (...args: any[]) => SqlInput | undefined | void): void
  function (name: string, options: FunctionOptions, fn: (...args: any[]) => SqlInput | undefined | void): void
  aggregate<A> (name: string, options: AggregateOptions<A>): void
}
