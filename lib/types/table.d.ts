import { CallOptions } from './options'
import { Row, RunResult, SqlInput } from './values'
import { RowStream } from './database'

export interface TableOptions {
  /** Of an attached database; by default the first that has the table: temp, main, the others. */
  schema?: string
  /** The columns that name one row, for a view, or in place of the primary key. */
  key?: string | readonly string[]
  /** Rows of a page when the query does not say. Default 100. */
  limit?: number
  /** Most rows that a query may ask for. Default 10000. */
  maxLimit?: number
}

type Name<T> = keyof T & string

/** What may be given for a column that holds V. */
type Given<V> =
  | V
  | (V extends string ? Date : never)
  | (V extends number ? boolean | bigint : never)
  | (V extends boolean ? number : never)
  | (V extends Uint8Array ? ArrayBuffer | ArrayBufferView : never)

type Present<V> = Exclude<Given<V>, null | undefined>

/** Conditions on one column; all of them have to hold. A null is never found by ne or notIn. */
export interface Operators<V> {
  eq?: Given<V> | null
  ne?: Given<V> | null
  gt?: Present<V>
  gte?: Present<V>
  lt?: Present<V>
  lte?: Present<V>
  /** Any number of values; a null among them finds null. */
  in?: ReadonlyArray<Given<V> | null>
  /** Any number of values; with a null among them, null is left out too. */
  notIn?: ReadonlyArray<Given<V> | null>
  between?: readonly [from: Present<V>, to: Present<V>]
  /** SQL's LIKE: % and _ stand for any text and any character; letters a–z match both cases. */
  like?: string
  notLike?: string
  /** * and ? stand for any text and any character; cases differ. */
  glob?: string
  /** A prefix, in a form that uses an index. */
  startsWith?: string
  isNull?: boolean
  /** Full-text search. */
  match?: string
}

/** Conditions; all of them have to hold. */
export type Where<T extends object = Row> = {
  readonly [C in Name<T>]?: Given<T[C]> | null | ReadonlyArray<Given<T[C]> | null> | Operators<T[C]>
} & {
  readonly and?: ReadonlyArray<Where<T>>
  readonly or?: ReadonlyArray<Where<T>>
  /** Everything that does not match, rows with nulls included. */
  readonly not?: Where<T>
  readonly rowid?: number | bigint | ReadonlyArray<number | bigint> | Operators<number>
}

export type Direction = 'asc' | 'desc'

type OrderTerm<T extends object> = Name<T> | 'rowid' | 'rank' | { readonly [C in Name<T>]?: Direction }

export type Order<T extends object = Row> = OrderTerm<T> | ReadonlyArray<OrderTerm<T>>

/** The value of the key, or an array for a key of several columns. */
export type Id = Exclude<SqlInput, null> | ReadonlyArray<Exclude<SqlInput, null>>

/** Where a page starts: the key, the values of the order's columns, or a row that has them. */
type Mark<T extends object> = SqlInput | ReadonlyArray<SqlInput | { infinity: number }> | Partial<T>

export interface Query<T extends object = Row, C extends Name<T> = Name<T>> {
  where?: Where<T>
  /** The key is always added, so that the order is total. */
  order?: Order<T>
  /** Only what comes after this row. */
  after?: Mark<T>
  /** Only what comes before this row: the last ones of it, in order. */
  before?: Mark<T>
  limit?: number
  offset?: number
  columns?: readonly C[]
}

export interface Page<T> {
  rows: T[]
  /** For `after` of the next page; null when there is none. Survives JSON, but for blobs and bigints; an infinite number is `{ infinity: 1 }` or `{ infinity: -1 }` in it. */
  next: unknown
  /** For `before` of the previous page; null when there is none. */
  prev: unknown
  /** How many rows match; with `total: true`. */
  total?: number
}

/** What insert takes: any of the columns. */
export type NewRow<T extends object = Row> = { readonly [C in Name<T>]?: Given<T[C]> | null }

export type Changes<T extends object = Row> = NewRow<T>

export interface Table<T extends object = Row, N extends object = NewRow<T>> {
  readonly name: string

  /** The row with this key, or the first one that matches. */
  get (idOrWhere: Id | Where<T>, options?: CallOptions & { columns?: undefined }): Promise<T | undefined>
  get<C extends Name<T>> (idOrWhere: Id | Where<T>, options: CallOptions & { columns: readonly C[] }): Promise<Pick<T, C> | undefined>

  /** One page of rows. */
  find<C extends Name<T> = Name<T>> (query?: Query<T, C>, options?: CallOptions): Promise<Array<Pick<T, C>>>
  /** One page of rows, and where its neighbours start. */
  page<C extends Name<T> = Name<T>> (query?: Query<T, C> & { total?: boolean }, options?: CallOptions): Promise<Page<Pick<T, C>>>
  /** One page as the bytes of a JSON array. */
  json<C extends Name<T> = Name<T>> (query?: Omit<Query<T, C>, 'before'>, options?: CallOptions): Promise<Buffer>
  /** Every row that matches, in constant memory. */
  iterate<C extends Name<T> = Name<T>> (
    query?: Pick<Query<T, C>, 'where' | 'order' | 'columns'>, options?: CallOptions
  ): RowStream<Pick<T, C>>
  count (where?: Where<T>, options?: CallOptions): Promise<number>

  insert (row: N, options?: CallOptions & { returning?: false }): Promise<RunResult>
  insert (row: N, options: CallOptions & { returning: true }): Promise<T>
  insert<C extends Name<T>> (row: N, options: CallOptions & { returning: readonly C[] }): Promise<Pick<T, C>>
  /** Any number of rows in one transaction: all or none. */
  insertMany (rows: Iterable<N> | AsyncIterable<N>, options?: CallOptions): Promise<RunResult>
  /** Inserts, or updates the row that the key or the unique columns `conflict` find. */
  upsert (row: N, options?: CallOptions & { conflict?: Name<T> | ReadonlyArray<Name<T>>, returning?: false }): Promise<RunResult>
  upsert (row: N, options: CallOptions & { conflict?: Name<T> | ReadonlyArray<Name<T>>, returning: true }): Promise<T>
  upsert<C extends Name<T>> (
    row: N, options: CallOptions & { conflict?: Name<T> | ReadonlyArray<Name<T>>, returning: readonly C[] }
  ): Promise<Pick<T, C>>
  /** An empty condition is refused unless `all` says that it is meant. */
  update (idOrWhere: Id | Where<T>, changes: Changes<T>, options?: CallOptions & { all?: boolean }): Promise<RunResult>
  delete (idOrWhere: Id | Where<T>, options?: CallOptions & { all?: boolean }): Promise<RunResult>
}
