// What is counted will grow: fields are added, not taken away.

export interface StatementStats {
  sql: string
  class: string
  count: number
  errors: number
  rows: number
  totalMs: number
  p50Us: number
  p99Us: number
  p999Us: number
}

/** Who keeps the WAL from being written back. */
export interface WalPin {
  kind: 'cursor' | 'snapshot' | 'backup'
  id: number
  ageMs: number
  sql: string
}

/** Connections to a PostgreSQL server, besides those counted on each engine. */
export interface PoolStats {
  connecting: number
  idle: number
  busy: number
  /** Old, or let go: they end when their calls are over. */
  retiring: number
  max: number
  writers: number
  transactions: number
  snapshots: number
  /** Statements on all of them. */
  prepared: number
  /** Since the beginning: how many were made, and lost by no will of ours. */
  begun: number
  lost: number
}

export interface Stats {
  /** The file; of PostgreSQL the address without a password. */
  path: string
  /** Handles of this process on the file. */
  handles: number
  queues: { reads: number, writes: number, waitingReads: number, transaction: number, max: number }
  connections: { open: number, readers: number, pinned: number, pins: number, maxPinned: number } & Partial<PoolStats>
  /** Of PostgreSQL, where `writer` and `wal` are missing. */
  server?: { engine: string, version: string, pooler: boolean, lastError: string | null }
  /** calls / groups: how many writes shared a commit. */
  writer: { groups: number, calls: number, replays: number, transactionOpen: boolean }
  wal: { bytes: number, peakBytes: number, capBytes: number, checkpoints: number, overCap: number, pinnedBy: WalPin | null }
  statements: StatementStats[]
  [more: string]: unknown
}

export interface Health {
  ok: boolean
  path: string
  sqlite: string
  readMs: number
  walBytes: number
  /** Of PostgreSQL, where `sqlite` and `walBytes` are missing: the version, and whether it follows another server. */
  server?: string
  standby?: boolean
  [more: string]: unknown
}

/** What serves a handle; the counters are those of a daemon since it started. */
export interface Door {
  door: 'addon' | 'ipc' | 'none'
  pid?: number
  version?: string
  uptimeMs?: number
  connections?: number
  accepted?: number
  refused?: number
  faults?: number
  requests?: number
  bytesIn?: number
  bytesOut?: number
  rssBytes?: number
  dbs?: Array<{ name: string, path: string }>
}
