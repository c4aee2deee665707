import { LogOptions } from './log'

/** What becomes of an integer on its way out; see docs/api.md on values. */
export type Integers = 'number' | 'bigint' | 'string' | 'auto'

export interface OpenOptions {
  /** No writes. The file must exist. */
  readonly?: boolean
  /** Create the file when it is missing. Default true. */
  create?: boolean
  /** Connections that read in parallel; 0 (the default) lets the core choose. */
  readers?: number
  /** Connections for cursors and snapshots. Default 8. */
  cursors?: number
  /** When a commit is on disk. Default 'full': before it is acknowledged. */
  synchronous?: 'off' | 'normal' | 'full' | 'extra'
  /** How long a statement waits for another process. Default 5000. */
  busyTimeoutMs?: number
  /** How long a transaction, snapshot or cursor may stay unused or open. Default 10000. */
  transactionTimeoutMs?: number
  /** How long blocking reads of one turn share a snapshot. Default 10; 0: never. */
  turnSnapshotMs?: number
  /** Calls in flight before UC_BUSY. Default 10000. */
  maxQueue?: number
  /** Prepared statements kept. Default 512. */
  statementCache?: number
  /** Rows of one reply. Default 1000000. */
  maxRows?: number
  /** Bytes of one reply. Default 256 MiB. */
  maxReplyBytes?: number
  /** Size of the WAL beyond which writes are refused. Default 1 GiB. */
  walCapBytes?: number
  /** Size of the WAL at which it is written back. Default 4 MiB. */
  walCheckpointBytes?: number
  /** Size of the pages in which rows travel. Default 32 KiB. */
  pageBytes?: number
  /** How long a key of the call option `once` is known. Default 24 hours. */
  onceTtlMs?: number
  /** Deadline of each call that does not name its own. Default 30000; 0: none. */
  timeoutMs?: number
  /** Of PostgreSQL: connections of the pool, at most. Default 10. */
  poolMax?: number
  /** Of PostgreSQL: a connection without work ends after so long. Default 30000. */
  poolIdleTimeoutMs?: number
  /** Of PostgreSQL: a connection ends after about so long, when its calls are over. Default 30 minutes. */
  poolLifetimeMs?: number
  /** Of PostgreSQL: whether statements have names on the server. Default 'auto': unless a pooler stands between. */
  prepare?: 'auto' | 'named' | 'unnamed'
  /** Applied to every connection. What is stored in the file (user_version, application_id) is refused: set it once. */
  pragmas?: Record<string, string | number | boolean>
  /** Schema name to path. */
  attach?: Record<string, string | URL>
  /** What the cache may take of memory, of the database that a daemon serves or of this process. Default 64 MiB. */
  cacheBytes?: number
  /** The largest value that it takes. Default 8 MiB. */
  cacheValueBytes?: number
  /** The cache of this handle; false: none. */
  cache?: CacheOptions | boolean
  /** The log of this handle; false: none. */
  log?: LogOptions | boolean
  integers?: Integers
  /** Errors name the caller's line even where the runtime has no async stack traces. Costs time. */
  stacks?: boolean
  /** Of an ipc:// target: the name of the database, when the daemon serves several. */
  db?: string
  /** Of an ipc:// target: how long a call waits for a connection before UC_CONNECT. Default 5000. */
  connectTimeoutMs?: number
  /** Of an ipc:// target: starts the daemon when nobody serves the socket. */
  spawn?: SpawnOptions
}

export interface CallOptions {
  /** The statement is stopped then, and the call rejects with UC_TIMEOUT. 0: no deadline. */
  timeoutMs?: number
  /** Aborting stops the statement; the call rejects with the signal's reason. */
  signal?: AbortSignal
  integers?: Integers
}

export interface CacheOptions {
  /** What it may take of memory in all. Not with an ipc:// target: there it is the daemon's. Default 64 MiB. */
  bytes?: number
  /** The largest value, at most a quarter of bytes. Default 8 MiB. */
  maxValueBytes?: number
  /** Values kept in this process's heap, under a lease; false: none. Default 8 MiB, 10000 entries. */
  firstLevel?: { bytes?: number, entries?: number } | boolean
}

/** Options of a call that writes. */
export interface WriteOptions extends CallOptions {
  /**
   * A key of 1 to 200 bytes: the call repeated with it is applied once and answers as it did the
   * first time. Not inside a transaction.
   */
  once?: string
}

export interface SpawnOptions {
  /** The file of the database, or the files of several by name. */
  db: string | URL | Record<string, string | URL>
  /** The daemon ends when it has been without a connection for so long. Default 60000. */
  idleExitMs?: number
  /** Of the file, as for open(file, options). */
  options?: Omit<OpenOptions, 'pragmas' | 'attach' | 'integers' | 'stacks' | 'cache' | 'log' | 'db' | 'connectTimeoutMs' | 'spawn'>
}
