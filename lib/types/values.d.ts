/// <reference types="node" />

/** What a parameter may be. A boolean becomes 0 or 1, a Date its ISO text, bytes a blob. */
export type SqlInput = null | number | bigint | string | boolean | Date | ArrayBuffer | ArrayBufferView

/** What a column may be. bigint, or string for integers, only where `integers` asks for it. */
export type SqlValue = null | number | bigint | string | Buffer

/** Positional, or named without their prefix. */
export type Params = readonly SqlInput[] | { readonly [name: string]: SqlInput }

/** A row of which nothing more is said. */
export type Row = { [column: string]: any }

/** A row as an array. */
export type Values = any[]

export interface RunResult {
  /** Rows inserted, updated or deleted. */
  changes: number
  /** Of the last row that the call inserted; 0 if it inserted none. A bigint or a string where `integers` asks for it. */
  lastInsertRowid: number | bigint | string
}

/**
 * An identifier that sorts by the time at which it was made: version 7 of RFC 9562, as text. Each is
 * greater than all that this thread has made before.
 */
export function uuidv7(): string
