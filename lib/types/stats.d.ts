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

export interface Stats {
  path: string
  /** Handles of this process on the file. */
  handles: number
  queues: { reads: number, writes: number, waitingReads: number, transaction: number, max: number }
  connections: { open: number, readers: number, pinned: number, pins: number, maxPinned: number }
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
