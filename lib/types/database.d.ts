import { Readable } from 'node:stream'
import { CallOptions, WriteOptions } from './options'
import { Params, Row, RunResult, SqlInput, Values } from './values'
import { Table, TableOptions } from './table'
import { Sync } from './sync'
import { Backup, BackupOptions, MigrateOptions, MigrateResult } from './upkeep'
import { Health, Stats } from './stats'

/** Rows one by one, in constant memory. Leaving the loop closes the cursor. */
export interface RowStream<T> extends AsyncIterableIterator<T> {
  next (): Promise<IteratorResult<T, undefined>>
  return (value?: unknown): Promise<IteratorResult<T, undefined>>
  throw (error?: unknown): Promise<IteratorResult<T, undefined>>
  [Symbol.asyncIterator] (): RowStream<T>
  [Symbol.asyncDispose] (): Promise<void>
}

export interface ReadVerbs {
  /** The first row, or undefined. */
  get<T = Row> (sql: string, params?: Params, options?: CallOptions): Promise<T | undefined>
  /** All rows. */
  all<T = Row> (sql: string, params?: Params, options?: CallOptions): Promise<T[]>
  /** All rows, as arrays. */
  values<T extends unknown[] = Values> (sql: string, params?: Params, options?: CallOptions): Promise<T[]>
  /** All rows as the bytes of a JSON array, ready for an HTTP body. */
  json (sql: string, params?: Params, options?: CallOptions): Promise<Buffer>
  iterate<T = Row> (sql: string, params?: Params, options?: CallOptions): RowStream<T>
  prepare<T = Row> (sql: string): Statement<T>
  table<T extends object = Row, N extends object = NewRowOf<T>> (name: string, options?: TableOptions): Table<T, N>
}

type NewRowOf<T extends object> = import('./table').NewRow<T>

/** null, what a column takes, arrays for arrays, and objects for JSON. */
export type CopyValue = SqlInput | readonly CopyValue[] | { readonly [key: string]: unknown }
export type CopyRow = readonly CopyValue[] | { readonly [column: string]: CopyValue }
export type CopySource = Iterable<CopyRow> | AsyncIterable<CopyRow> | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Of bytes, as COPY has them; rows have no form. */
export interface CopyOptions {
  /** Default 'csv'. */
  format?: 'csv' | 'text' | 'binary'
  /** The first line has the names of the columns. */
  header?: boolean
  delimiter?: string
  /** The text that stands for null. */
  null?: string
  encoding?: string
  /** Deadline of the whole. */
  timeoutMs?: number
  signal?: AbortSignal
}

export type BatchItem = string | readonly [sql: string, params?: Params]
export type BatchResult = RunResult | Row[]

export interface Verbs extends ReadVerbs {
  run (sql: string, params?: Params, options?: CallOptions): Promise<RunResult>
  /** A script of any number of statements. */
  exec (sql: string, options?: CallOptions): Promise<RunResult>
  /** One statement for each row of parameters, in one transaction. */
  many (sql: string, rows: Iterable<Params> | AsyncIterable<Params>, options?: CallOptions): Promise<RunResult>
  /**
   * COPY into a table, on PostgreSQL: rows, as arrays or objects, or bytes in chunks. An aborted one changes
   * nothing.
   *
   * @param target as COPY has it: '"user"(name, age)'
   */
  copyFrom (target: string, source: CopySource, options?: CopyOptions): Promise<{ changes: number }>
  /** COPY of a query or a table, on PostgreSQL, as bytes. Nothing is read ahead of who reads them. */
  copyTo (queryOrTable: string, options?: CopyOptions): Readable
  /** Several statements in one transaction. */
  batch<R extends BatchResult[] = BatchResult[]> (statements: readonly BatchItem[], options?: CallOptions): Promise<R>
}

/** The verbs with their SQL bound. Cheap; never stale; needs no closing. */
export interface Statement<T = Row> {
  readonly sql: string
  get (params?: Params, options?: CallOptions): Promise<T | undefined>
  all (params?: Params, options?: CallOptions): Promise<T[]>
  values<V extends unknown[] = Values> (params?: Params, options?: CallOptions): Promise<V[]>
  json (params?: Params, options?: CallOptions): Promise<Buffer>
  iterate (params?: Params, options?: CallOptions): RowStream<T>
  run (params?: Params, options?: WriteOptions): Promise<RunResult>
  many (rows: Iterable<Params> | AsyncIterable<Params>, options?: WriteOptions): Promise<RunResult>
}

export interface TransactionOptions {
  /** Deadline of the whole. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface IsolatedOptions extends TransactionOptions {
  /**
   * What the transaction sees of others. SQLite's transactions are serializable, whatever is asked for.
   * Default: as the server has it configured.
   */
  isolation?: 'read committed' | 'repeatable read' | 'serializable'
  /**
   * How often fn is called again when the server has rolled the transaction back because it met
   * another one (SQLSTATE 40001, 40P01). Default 0.
   */
  retries?: number
}

export interface Transaction extends Verbs {
  /** A savepoint: what it did can be rolled back alone. */
  transaction<R> (fn: (tx: Transaction) => Promise<R> | R, options?: TransactionOptions): Promise<R>
}

/** One unchanging view of the database. */
export interface Snapshot extends ReadVerbs {}

/** What one or more commits have changed. */
export interface TableChanges {
  /**
   * Names as in the schema, `schema.name` for an attached one; `'*'` alone: every table may have
   * changed, the schema too.
   */
  tables: string[]
  /** Number of the last of these commits; grows. */
  gen: number
}

/** Ends with return(), or by leaving the loop, or when the handle is closed. */
export type ChangeStream = RowStream<TableChanges>

/** What was notified; where some may be missing, `missed` is true and there is no payload. */
export type Notification =
  | { channel: string, payload: string, missed: false }
  | { channel: string, payload: null, missed: true }

/** Ends with return(), or by leaving the loop, or when the handle is closed. */
export interface NotificationStream extends RowStream<Notification> {
  /** Resolves when the server has been told: what is notified from then on comes. */
  readonly ready: Promise<void>
}

export interface Database extends Verbs {
  run (sql: string, params?: Params, options?: WriteOptions): Promise<RunResult>
  many (sql: string, rows: Iterable<Params> | AsyncIterable<Params>, options?: WriteOptions): Promise<RunResult>
  batch<R extends BatchResult[] = BatchResult[]> (statements: readonly BatchItem[], options?: WriteOptions): Promise<R>
  /** The verbs that block; only where the database is in this process. */
  readonly sync: Sync
  /** Commits when fn returns; rolls back when it throws. */
  transaction<R> (fn: (tx: Transaction) => Promise<R> | R, options?: IsolatedOptions): Promise<R>
  snapshot<R> (fn: (snapshot: Snapshot) => Promise<R> | R, options?: TransactionOptions): Promise<R>
  /** The commits from here on that change one of these tables; without names, any table. */
  watch (tables?: string | readonly string[], options?: { signal?: AbortSignal }): ChangeStream
  /** What is notified on a channel from here on (NOTIFY). PostgreSQL alone. */
  listen (channel: string, options?: { signal?: AbortSignal }): NotificationStream
  /** Applies the numbered SQL files of a folder that this database has not been through. */
  migrate (directory: string | URL, options?: MigrateOptions): Promise<MigrateResult>
  /** Copies the database to a file while it is in use. */
  backup (path: string | URL, options?: BackupOptions): Promise<Backup>
  /** Replaces the content of the database by that of a file. */
  restore (path: string | URL): Promise<void>
  stats (options?: CallOptions): Promise<Stats>
  health (options?: CallOptions): Promise<Health>
}
