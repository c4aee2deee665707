// The types of undercroft; one file for each concept in lib/types.

export { DatabaseError, ErrorCode, ErrorInfo, ErrorKind, OwnCode, UndercroftError } from './lib/types/errors'
export { CacheOptions, CallOptions, Integers, OpenOptions, SpawnOptions, WriteOptions } from './lib/types/options'
export { Params, Row, RunResult, SqlInput, SqlValue, Values } from './lib/types/values'
export {
  BatchItem, BatchResult, ChangeStream, CopyOptions, CopyRow, CopySource, CopyValue, Database, IsolatedOptions, Notification,
  NotificationStream, ReadVerbs, RowStream, Snapshot, Statement, TableChanges, Transaction,
  TransactionOptions, Verbs
} from './lib/types/database'
export {
  Cache, CacheBytes, CacheCallOptions, CacheEntryOptions, CacheReadOptions, CacheStats, CacheSync, CacheWriteOptions, FirstLevelStats,
  LoadContext, WrapOptions
} from './lib/types/cache'
export { AggregateOptions, FunctionOptions, Sync, SyncStatement } from './lib/types/sync'
export {
  Changes, Direction, Id, NewRow, Operators, Order, Page, Query, Table, TableOptions, Where
} from './lib/types/table'
export {
  Backup, BackupOptions, BackupProgress, Migration, MigrateOptions, MigrateProgress, MigrateResult
} from './lib/types/upkeep'
export {
  ChildOptions, FlushOptions, Log, LogDestination, Logger, LogFormatters, LogLevel, LogLevelLike, LogMethod, LogOptions, LogSerializers, LogStats, RedactOptions, RequestOptions, Span
} from './lib/types/log'
export { Closable, ExpressLike, FastifyLike, FetchHandler, FetchLike, GracefulOptions, Service, graceful } from './lib/types/graceful'
export { Door, Health, Stats, StatementStats, WalPin } from './lib/types/stats'
export {
  HandlerOptions, Identity, Injected, InjectOptions, Route, RouteAccess, RouteContext, RouteHandler, RouteRequest, Routes, RoutesLog, RoutesOptions,
  StandardResult, StandardSchema
} from './lib/types/routes'
export { Store, open } from './lib/types/store'
export { uuidv7 } from './lib/types/values'
