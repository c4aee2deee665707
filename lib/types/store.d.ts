import { Cache } from './cache'
import { Log, LogOptions } from './log'
import { CacheOptions, CallOptions, OpenOptions } from './options'
import { Database } from './database'
import { Routes, RoutesOptions } from './routes'
import { Door, Health, Stats } from './stats'

export class Store {
  private constructor ()
  /** Throws UC_NO_DB on a handle that is a cache or a log alone. */
  readonly db: Database
  /** Values under keys, shared by all who use the database. */
  readonly cache: Cache
  /** Lines: to stdout, to files, or to the log of the daemon. */
  readonly log: Log
  /** The file as an absolute path, ':memory:', a server's address without its password, or the ipc:// URL; null of a cache or a log alone. */
  readonly target: string | null
  /** Resolves when the database is open; rejects with the reason when it cannot be. */
  readonly ready: Promise<this>
  readonly closed: boolean
  health (options?: CallOptions): Promise<Health>
  stats (options?: CallOptions): Promise<Stats>
  /** What serves the handle: this process, or a daemon with its counters. */
  door (options?: CallOptions): Promise<Door>
  /**
   * A service that is declared in SQL files, for node:http, fastify, Hono and Bun.serve. Throws where the directory
   * cannot be read; `ready` says what is wrong with a file.
   */
  routes (dir: string | URL, options?: RoutesOptions): Routes
  /** Waits for what is in flight. */
  close (): Promise<void>
  /** Does not wait: what is in flight rejects with UC_CLOSED. */
  destroy (cause?: Error): void
  [Symbol.asyncDispose] (): Promise<void>
}

/**
 * Opens a database, or connects to the daemon behind an ipc:// URL. Returns at once: calls made
 * before it is open wait, and tell if it cannot be.
 *
 * @param target a path, ':memory:', a file URL (`file:app.db`, without parameters), the postgres:// URL of a database, or the ipc:// URL of a daemon's socket
 */
export function open (target: string | URL, options?: OpenOptions): Store
/** A cache in this process alone, without a database. */
export function open (options: { cache: CacheOptions | true, log?: LogOptions | boolean, maxQueue?: number, timeoutMs?: number, stacks?: boolean }): Store
/** A log without a database. */
export function open (options: { log: LogOptions | true, cache?: false }): Store
