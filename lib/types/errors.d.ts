/** The codes of this package's own errors. */
export type OwnCode =
  | 'UC_ABORTED'
  | 'UC_ACCESS'
  | 'UC_BACKUP'
  | 'UC_BUSY'
  | 'UC_CACHE_KEY'
  | 'UC_CACHE_LOAD'
  | 'UC_CACHE_SELF'
  | 'UC_CACHE_TYPE'
  | 'UC_CACHE_VALUE'
  | 'UC_CLOSED'
  | 'UC_COLUMN'
  | 'UC_CONNECT'
  | 'UC_CONNECTION_LOST'
  | 'UC_CURSORS'
  | 'UC_CURSOR_EXPIRED'
  | 'UC_FRAME'
  | 'UC_INTERNAL'
  | 'UC_LOG_IO'
  | 'UC_MEMORY'
  | 'UC_MIGRATION_CHANGED'
  | 'UC_MIGRATION_FILE'
  | 'UC_MIGRATION_MISSING'
  | 'UC_MIGRATION_ORDER'
  | 'UC_NOT_HERE'
  | 'UC_NOT_REPEATED'
  | 'UC_NO_ADDON'
  | 'UC_NO_CACHE'
  | 'UC_NO_DB'
  | 'UC_NO_DAEMON'
  | 'UC_NO_LOG'
  | 'UC_ONCE_CONFLICT'
  | 'UC_OP'
  | 'UC_OPTION'
  | 'UC_OPTIONS_CONFLICT'
  | 'UC_ENGINE'
  | 'UC_PARAM_COUNT'
  | 'UC_PARAM_NAME'
  | 'UC_PARAM_TYPE'
  | 'UC_PASSWORD'
  | 'UC_QUERY'
  | 'UC_RATE'
  | 'UC_REPLY_TOO_LARGE'
  | 'UC_REQUEST_TOO_LARGE'
  | 'UC_ROUTE'
  | 'UC_SQL_CONNECTION'
  | 'UC_SQL_EMPTY'
  | 'UC_SQL_MULTI'
  | 'UC_SQL_NO_ROWS'
  | 'UC_SQL_READONLY'
  | 'UC_SQL_TRANSACTION'
  | 'UC_SYNC_UNAVAILABLE'
  | 'UC_TABLE'
  | 'UC_TIMEOUT'
  | 'UC_TX_CLOSED'
  | 'UC_TX_EXPIRED'
  | 'UC_TX_OPEN'
  | 'UC_TX_SELF'
  | 'UC_VALUE_RANGE'
  | 'UC_VERSION'
  | 'UC_WAL_FULL'

/** Our own code, or the engine's extended name, such as SQLITE_CONSTRAINT_UNIQUE. */
export type ErrorCode = OwnCode | `SQLITE_${string}`

/** The word to branch on; the same over all engines. */
export type ErrorKind =
  | 'abort' | 'busy' | 'cant-open' | 'check' | 'closed' | 'connection' | 'constraint' | 'corrupt'
  | 'foreign-key'
  | 'full' | 'internal' | 'io' | 'load' | 'memory' | 'not-found' | 'not-null' | 'permission' | 'readonly'
  | 'schema' | 'syntax' | 'timeout' | 'too-big' | 'unique' | 'usage'

export interface ErrorInfo {
  kind?: ErrorKind
  retryable?: boolean
  sql?: string
  param?: string | number
  column?: string
  outcome?: 'not-run' | 'unknown' | 'not-sent'
  op?: string
  offset?: number
  index?: number
  native?: number
  cause?: unknown
}

export class UndercroftError extends Error {
  constructor (code: ErrorCode, message: string, info?: ErrorInfo)
  readonly name: 'UndercroftError'
  readonly code: ErrorCode
  readonly kind: ErrorKind
  /** The same call may succeed when it is simply repeated. */
  readonly retryable: boolean
  readonly sql?: string
  /** Name, or number from 1, of the parameter at fault. */
  readonly param?: string | number
  readonly column?: string
  /**
   * What is known of a call that failed: it had no effect, it may have had, or it never left this
   * process.
   */
  readonly outcome?: 'not-run' | 'unknown' | 'not-sent'
  readonly op?: string
  /**
   * Of an error in the text: where in the SQL, in characters. In a script, of any error: where the
   * statement that failed begins, unless more is known.
   */
  readonly offset?: number
  /** Of many, insertMany and batch: the row or statement at fault, from 0. */
  readonly index?: number
  /** The engine's number. */
  readonly native?: number
}

export type DatabaseError = UndercroftError
