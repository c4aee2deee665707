export interface Migration {
  version: number
  /** The file's name without ".sql". */
  name: string
}

export interface MigrateProgress extends Migration {
  index: number
  count: number
  /** null before the file runs, its duration after it. */
  ms: number | null
}

export interface MigrateOptions {
  /** Compare only: what would be applied is in `pending`. */
  dryRun?: boolean
  onProgress?: (progress: MigrateProgress) => void
  /** Ends all of it: the file that is under way is undone, those before it stay. */
  signal?: AbortSignal
  /** The same after a time. Default 0: none, since a rebuild takes as long as it takes. */
  timeoutMs?: number
}

export interface MigrateResult {
  /** What this call applied. */
  applied: Array<Migration & { ms: number }>
  /** The last version that the database has been through. */
  current: number | null
  /** With dryRun: what is left to apply. */
  pending: Migration[]
}

/** In pages of the database. */
export interface BackupProgress {
  remaining: number
  total: number
  percent: number
}

export interface BackupOptions {
  onProgress?: (progress: BackupProgress) => void
  /** Copied between two turns of other work. Default 1024. */
  pagesPerStep?: number
  signal?: AbortSignal
}

export interface Backup {
  path: string
  pages: number
}
