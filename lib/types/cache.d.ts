import { CallOptions } from './options'

/** What a call of the cache may be told besides. */
export interface CacheCallOptions {
  timeoutMs?: CallOptions['timeoutMs']
  signal?: CallOptions['signal']
}

export interface CacheReadOptions extends CacheCallOptions {
  /** An object of the caller's own, which may be changed, in place of one that all share, frozen. */
  copy?: boolean
}

/** How long an entry lives, and what it goes with. */
export interface CacheEntryOptions {
  /** From now on; without it, until something else ends it. */
  ttlMs?: number
  /** It goes when nobody has asked for it for so long. */
  idleMs?: number
  /** After ttlMs wrap may still give it, for so long, while somebody loads anew. */
  staleMs?: number
  /** After ttlMs wrap still gives it, for so long, when the loader fails. */
  staleIfErrorMs?: number
  /** dropTag of one of these drops it. */
  tags?: string | readonly string[]
  /** A commit that changes one of these tables drops it. */
  tables?: string | readonly string[]
  /** A commit that inserts, changes or deletes one of these rows drops it: table -> rowid. */
  rows?: Readonly<Record<string, number | bigint | ReadonlyArray<number | bigint>>>
}

export interface CacheWriteOptions extends CacheEntryOptions, CacheCallOptions {}

export interface WrapOptions extends CacheEntryOptions {
  /** How long the loader may take, and how long who waits for another's waits. Default 30000. */
  timeoutMs?: number
  /** What the loader throws is kept for so long: callers get it as UC_CACHE_LOAD. Default: not at all. */
  errorTtlMs?: number
  /** Ends the waiting of this caller, and the loader's work when he was the last one. */
  signal?: AbortSignal
  copy?: boolean
}

export interface LoadContext<T = unknown> {
  readonly key: string
  /** Aborted when the loader has overrun its time, or nobody waits for it any more. */
  readonly signal: AbortSignal
  /** The old value, if there is one. */
  readonly stale: T | undefined
  /** The value goes to who waits, and is not kept: return skip(value). */
  skip: <V>(value: V) => V
  /** In place of the option ttlMs. */
  setTtl: (ttlMs: number) => void
}

/** What setBytes takes; text is stored as its UTF-8 bytes. */
export type CacheBytes = string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer

export interface FirstLevelStats {
  entries: number
  bytes: number
  maxBytes: number
  maxEntries: number
  hits: number
  misses: number
  evicted: number
}

export interface CacheStats {
  entries: number
  /** All that the cache takes of memory; never more than limitBytes. */
  bytes: number
  limitBytes: number
  keyBytes: number
  valueBytes: number
  hits: number
  misses: number
  stale: number
  sets: number
  outdated: number
  removed: number
  evicted: { size: number, ttl: number, idle: number, dropped: number, replaced: number }
  loads: { running: number, waiting: number, begun: number, shared: number, passed: number, failed: number, outdated: number }
  firstLevels: { holders: number, bytes: number }
  /** Of this handle; null when it is switched off. */
  firstLevel: FirstLevelStats | null
  [more: string]: unknown
}

export interface Cache {
  /** The value of a key, or undefined. */
  get: <T = unknown>(key: string, options?: CacheReadOptions) => Promise<T | undefined>
  /** The values in the order of the keys. */
  getMany: <T = unknown>(keys: readonly string[], options?: CacheReadOptions) => Promise<Array<T | undefined>>
  /** What the first level of this handle has: at once, and never a call. */
  peek: <T = unknown>(key: string) => T | undefined
  /** Whether it was stored. */
  set: (key: string, value: unknown, options?: CacheWriteOptions) => Promise<boolean>
  /** How many were stored. */
  setMany: (entries: Iterable<readonly [string, unknown]>, options?: CacheWriteOptions) => Promise<number>
  has: (key: string, options?: CacheCallOptions) => Promise<boolean>
  /** Whether it was there. */
  delete: (key: string, options?: CacheCallOptions) => Promise<boolean>
  /** A new lifetime from now on; whether the key was there. */
  touch: (key: string, ttlMs: number, options?: CacheCallOptions) => Promise<boolean>
  /** What is left of its lifetime: Infinity, or undefined when it is not there. */
  ttl: (key: string, options?: CacheCallOptions) => Promise<number | undefined>
  /** Adds to an integer, which begins at 0; the options are those of a new entry. */
  incr: (key: string, by?: number, options?: CacheWriteOptions) => Promise<number>
  /** Stores the value if the present one is `expected`, or if there is none where that is undefined. */
  compareAndSet: (key: string, expected: unknown, value: unknown, options?: CacheWriteOptions) => Promise<boolean>
  /** The value of a key, which one caller in all processes loads for all when it is absent. */
  wrap: <T>(key: string, loader: (context: LoadContext<T>) => T | PromiseLike<T>, options?: WrapOptions) => Promise<T>
  /** Drops what was stored with one of the tags. */
  dropTag: (tags: string | readonly string[], options?: CacheCallOptions) => Promise<void>
  /** Drops everything, or everything in the namespace. */
  clear: (options?: CacheCallOptions) => Promise<void>
  stats: (options?: CacheCallOptions) => Promise<CacheStats>
  getBytes: (key: string, options?: CacheReadOptions) => Promise<Buffer | undefined>
  setBytes: (key: string, bytes: CacheBytes, options?: CacheWriteOptions) => Promise<boolean>
  /** The same cache with a prefix to all keys. */
  namespace: (name: string) => Cache
  /** The verbs that block; only where the core is in this process. */
  readonly sync: CacheSync
}

export interface CacheSync {
  get: <T = unknown>(key: string, options?: { copy?: boolean }) => T | undefined
  getMany: <T = unknown>(keys: readonly string[], options?: { copy?: boolean }) => Array<T | undefined>
  set: (key: string, value: unknown, options?: CacheEntryOptions) => boolean
  setMany: (entries: Iterable<readonly [string, unknown]>, options?: CacheEntryOptions) => number
  has: (key: string) => boolean
  delete: (key: string) => boolean
  touch: (key: string, ttlMs: number) => boolean
  ttl: (key: string) => number | undefined
  incr: (key: string, by?: number, options?: CacheEntryOptions) => number
  compareAndSet: (key: string, expected: unknown, value: unknown, options?: CacheEntryOptions) => boolean
  dropTag: (tags: string | readonly string[]) => void
  clear: () => void
  stats: () => CacheStats
  getBytes: (key: string) => Buffer | undefined
  setBytes: (key: string, bytes: CacheBytes, options?: CacheEntryOptions) => boolean
}
