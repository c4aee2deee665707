import { IncomingMessage, Server, ServerResponse } from 'node:http'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
/** A level by its name, also in capitals, or by its number. */
export type LogLevelLike = LogLevel | Uppercase<LogLevel> | number

export interface LogOptions {
  /** The directory of the files; without it lines go to the daemon's log, or to stdout. */
  dir?: string | URL | null
  /** What the files' names begin with. Default 'app'. */
  file?: string
  /** A field of every line. Without `file` it names the files as well. */
  name?: string
  /** Default 'info'. One of `customLevels` is also right. */
  level?: LogLevelLike | (string & {})
  /** Further levels, such as { audit: 35 }, each a method of the logger: `open` does not know their types. */
  customLevels?: Record<string, number> | null
  /** What the process has in memory that survives it. Default 8 MiB. */
  ringBytes?: number
  /** What happens when it is full. Default 'block'. */
  overflow?: 'block' | 'drop' | 'grow'
  /** How large it may become with 'grow'. Default 64 MiB. */
  growBytes?: number
  /** How long a line waits for room with 'block'. Default 1000. */
  blockMs?: number
  /** When the next file begins. Default 64 MiB, and each day (UTC). */
  rotate?: { bytes?: number, daily?: boolean }
  /** What files are made of that are no longer written to. Default 'gzip'. */
  compress?: 'gzip' | 'zstd' | false
  /** How long files are kept, and how much of them. Default 60 days, 10 GiB; 0: no limit. */
  keep?: { days?: number, bytes?: number }
  /** The longest time from a line to the disk. Default 1000; 0: left to the system. */
  syncMs?: number
  /** Fields that must not be written, such as 'password', '*.token', 'headers["set-cookie"]'. */
  redact?: readonly string[] | RedactOptions
  /** Fields of every line. Default { pid, hostname }. */
  base?: object | null
  /** What is written in place of the value of a field. */
  serializers?: LogSerializers
  /** Default true, milliseconds. false: none; a function returns a field with a comma before it: ',"time":"2026-11-01"'. */
  timestamp?: boolean | 'iso' | (() => string)
  /** The name of the message. Default 'msg'. */
  messageKey?: string
  /** The name of an error that is logged by itself. Default 'err'. */
  errorKey?: string
  /** The fields of a call stand in an object of this name. Default null: beside the others. */
  nestedKey?: string | null
  /** Further fields of each line; those of the call count for more. */
  mixin?: ((fields: object, level: number, log: Logger) => object) | null
  formatters?: LogFormatters
  /** In front of each message. */
  msgPrefix?: string
  /** Lines for people. Default 'auto': on a terminal. */
  pretty?: boolean | 'auto'
  /** The longest line; of what is longer the largest fields are cut. Default 256 KiB. */
  maxLineBytes?: number
  /** Statements that take longer are logged. Default 0: none. */
  slowMs?: number
  /** SIGHUP opens the files anew. Default: where stdin is no terminal. */
  reopenOnHup?: boolean
  /** Through a daemon: lines leave at the end of the turn, or are kept in a file before the call returns. Default 'turn'. */
  sync?: 'turn' | 'line'
  /** Through a daemon: what may wait for it. Default 8 MiB. */
  bufferBytes?: number
  /** A stream or an open file in place of stdout. */
  destination?: { write: (line: string) => unknown } | number
}

export type LogSerializers = Record<string, (value: any) => unknown>

export interface LogFormatters {
  /** How the level stands in a line. Default { level: number }. */
  level?: (label: string, number: number) => object
  /** What is written of the bindings of the log or of the child whose option it is. */
  bindings?: (bindings: Record<string, unknown>) => object
  /** What is written of the fields of a call. */
  log?: (fields: Record<string, any>) => object
}

export interface RedactOptions {
  paths: readonly string[]
  /** What stands there instead. Default '[Redacted]'. */
  censor?: unknown
  /** Leaves the field out. */
  remove?: boolean
}

export interface LogMethod {
  (fields: object | null | undefined, message?: string, ...args: unknown[]): void
  (message: unknown, ...args: unknown[]): void
}

export interface ChildOptions {
  /** A level of its own; without it that of the parent, also when that changes. */
  level?: LogLevelLike | (string & {})
  redact?: readonly string[] | RedactOptions
  serializers?: LogSerializers
  formatters?: LogFormatters
  /** In front of each message. */
  msgPrefix?: string
}

export interface Logger {
  trace: LogMethod
  debug: LogMethod
  info: LogMethod
  warn: LogMethod
  error: LogMethod
  fatal: LogMethod
  silent: LogMethod
  get level (): LogLevel
  set level (level: LogLevelLike)
  levelVal: number
  readonly levels: { labels: Record<number, string>, values: Record<string, number> }
  /** false for what is no level. */
  isLevelEnabled: (level: string | number) => boolean
  /** A logger whose lines have the bindings as well. */
  child: (bindings?: object, options?: ChildOptions) => Logger
  bindings: () => Record<string, unknown>
  /** Further fields of its lines from now on; not of children that it has already. */
  setBindings: (bindings: object) => void
  /** All lines are where they belong. */
  flush: ((options?: FlushOptions) => Promise<void>) & ((done: (err?: Error) => void) => void)
  /** A piece of work, whose duration is logged when it ends; with fn, which runs inside of it, also when that throws. */
  span: (<T>(name: string, fn: (span: Span) => T) => T) &
  (<T>(name: string, bindings: object | undefined, fn: (span: Span) => T) => T) &
  ((name: string, bindings?: object) => Span)
  /** One line for each request of node:http. */
  http: ((req: IncomingMessage, res: ServerResponse, options?: RequestOptions) => Logger) &
  (<T extends Server>(server: T, options?: RequestOptions) => T) &
  (<T extends (req: any, res: any) => unknown>(handler: T, options?: RequestOptions) => T)
  /** The same for the function fetch of Bun.serve. */
  bun: <Req extends Request, S, R>(handler: (request: Req, server: S, log: Logger) => R, options?: RequestOptions) => (request: Req, server: S) => R
}

export interface RequestOptions {
  /** Begins a trace for requests that come without one. Default false. */
  trace?: boolean
}

export interface Span {
  /** A logger whose lines carry the ids of the span. */
  readonly log: Logger
  readonly traceId: string
  readonly spanId: string
  /** For the header of that name, to whoever is asked next. */
  readonly traceparent: string
  /** Whatever logs in fn, asynchronously too, carries the ids. */
  run: <T>(fn: (span: Span) => T) => T
  /** Logs the duration; with `err` as an error. Only the first call counts. */
  end: (more?: object) => void
}

export interface FlushOptions {
  /** On disk, not only in the file. */
  sync?: boolean
  timeoutMs?: number
}

export interface Log extends Logger {
  /** The same, blocking, where it can be done; whether it was. */
  flushSync: (options?: FlushOptions) => boolean
  /** Opens the file anew, for who has moved it. */
  reopen: () => void
  /** Begins the next file. */
  rotate: () => void
  /** everywhere: in all processes of the daemon; null: each has that of its option again. */
  setLevel: ((level: LogLevelLike, options?: { everywhere?: boolean }) => Promise<void>) &
  ((level: null, options: { everywhere: true }) => Promise<void>)
  stats: () => Promise<LogStats>
  /** What pino writes to: pino(options, log.destination()). */
  destination: () => LogDestination
  /** Flushes and ends; also done by the close() of its store. */
  close: () => Promise<void>
}

export interface LogDestination {
  write: (line: string) => void
  flush: (done?: (err?: Error) => void) => void
  flushSync: () => void
  end: () => void
  lastLevel: number
}

export interface LogStats {
  sink: 'stdout' | 'stream' | 'ring' | 'daemon'
  lines: number
  dropped: number
  /** Lines whose fields could not be read at all; they say so. */
  unreadable: number
  [more: string]: unknown
}
