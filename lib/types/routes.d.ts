import { IncomingMessage, ServerResponse } from 'node:http'

/**
 * What a schema has to speak: Standard Schema (standardschema.dev), as zod, valibot, arktype and
 * others do.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown, ...more: any[]) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input, readonly output: Output } | undefined
  }
}

export type StandardResult<Output> =
  | { readonly value: Output, readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<{ readonly message: string, readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined }> }

/** Who asks. */
export interface Identity {
  /** Null: nobody who is logged in. */
  user?: string | number | bigint | null
  roles?: readonly string[]
}

/** A request, the same behind every door. */
export interface RouteRequest {
  readonly method: string
  /** /path?query */
  readonly target: string
  /** The caller's address; null: not known, as of a unix socket without a trusted proxy. */
  readonly ip: string | null
  /** Also in the answer, as x-request-id, and in lines of the log. */
  readonly id: string
  /** The caller's side is https: of the connection, or as a trusted proxy says. */
  readonly isSecure: boolean
  /** The request as the framework has it. */
  readonly raw: unknown
  /** The value of a header by its name in lower case. */
  header: (name: string) => string | undefined
}

export interface RoutesOptions {
  /** 'fine': 401, 403, 404, 409, 429 and 504 where 'plain', the default, has 400 and 500. */
  statuses?: 'plain' | 'fine'
  /** Bytes of a body; beyond it is 413. Default 1 MiB. */
  bodyMost?: number
  /** Pages of other origins that may ask, with credentials: ['https://shop.example']. Default: none. */
  origins?: readonly string[]
  /** Bytes of the answers that are kept for routes with @cache. Default 8 MiB. */
  cacheBytes?: number
  /** The plans of statements are looked at as well: a table is read as a whole only with @scan ok. Default false. */
  check?: boolean
  /**
   * A GET whose statements are known to be quick is answered on the thread that asks, where nothing has to be waited
   * for. false: no statement of a route runs on the event loop. Default true.
   */
  inline?: boolean
  /** What a request may take. Default: the database's, and that of a route's @timeout. */
  timeoutMs?: number
  /**
   * Whose x-forwarded-for and x-forwarded-host are believed: 'unix', the default, 'loopback', addresses and networks
   * such as '10.0.0.0/8'; false: nobody's.
   */
  trustProxy?: false | string | readonly string[]
  /** Who asks. Null, undefined or false: nobody who is logged in. */
  user?: ((request: RouteRequest) => Identity | null | undefined | false | Promise<Identity | null | undefined | false>) | null
  /** A line for each request as well: true: to store.log. Failures always have one there. */
  log?: boolean | RoutesLog | null
  /** A line of audit in store.log for each POST. Default true. */
  audit?: boolean
  /** Reads the directory again when a file of it changes. Default false. */
  watch?: boolean
}

export interface RoutesLog {
  info: (...args: any[]) => void
  warn: (...args: any[]) => void
  error: (...args: any[]) => void
}

export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly about: string
  /** How rows become an answer; of a route in a file. */
  readonly form?: string
  readonly file?: string
  readonly line?: number
  /** What it takes of the service: 'user', 'ip' and the like. */
  readonly given?: readonly string[]
  readonly params?: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** A handler of one's own, and who may ask it. */
  readonly own?: true
  readonly public?: boolean
  readonly roles?: readonly string[]
}

/** What an own handler knows of its request. */
export interface RouteContext extends RouteRequest {
  readonly user: string | number | bigint | null
  readonly roles: readonly string[]
  /** Aborted when the caller hangs up: for calls of the database, and for fetch. */
  readonly signal: AbortSignal
  /** One more header of the answer, such as a cookie. */
  set: (name: string, value: string) => void
  /** Ends it with 400 and this text. */
  refuse: (text: string) => never
  /** For an answer that is not JSON. */
  reply: (body: string | Uint8Array, options?: { status?: number, type?: string, headers?: Record<string, string | number | readonly string[]> }) => unknown
}

/** Who may ask has to be said. */
export type RouteAccess = { public: true, auth?: undefined } | { public?: false, auth: true | readonly string[] }

export type HandlerOptions<Schema> = RouteAccess & { about?: string } & (
  /** What is taken: the parameters of the query as texts, or the JSON of the body. */
  Schema extends undefined ? { schema?: undefined } : { schema: Schema })

/** What is returned is sent as JSON; undefined: an empty answer. */
export type RouteHandler<Value> = (value: Value, context: RouteContext) => unknown

export interface InjectOptions extends Identity {
  headers?: Record<string, string | number>
  /** An object is sent as JSON. */
  body?: string | Uint8Array | object
  /** The caller hangs up. */
  signal?: AbortSignal
}

export interface Injected {
  status: number
  /** The content-type; '' where there is none. */
  type: string
  /** The others. */
  headers: Record<string, string>
  body: string
}

type Next = (...args: any[]) => unknown

export class Routes {
  private constructor ()
  /**
   * For node:http: (req, res) => …; also a middleware of Express. What is none of ours goes to next, with its body
   * unread, or is 404.
   */
  node (next?: (req: IncomingMessage, res: ServerResponse) => unknown): (req: IncomingMessage, res: ServerResponse, pass?: Next) => void
  /** A plugin: app.register(routes.fastify). With wildcard: false each path is registered by itself. */
  readonly fastify: (app: any, options: { wildcard?: boolean }) => Promise<void>
  /** A handler and a middleware: app.use(routes.hono). */
  readonly hono: (context: any, next?: any) => Promise<any>
  /** For Bun.serve, Deno.serve and the like. */
  readonly fetch: (request: Request, info?: any) => Promise<Response>
  /** A request without a server, for tests. */
  inject (method: string, target: string, options?: InjectOptions): Promise<Injected>
  /** The answer for an error in a handler of one's own. It says nothing of SQL; what is to be logged has its line. */
  answer (err: unknown): { status: number, type: string, headers: Record<string, string>, body: string }
  /** A handler of one's own for GET and HEAD. */
  get (path: string, options: HandlerOptions<undefined>, handler: RouteHandler<Record<string, string | string[]>>): this
  get<Output> (path: string, options: HandlerOptions<StandardSchema<any, Output>>, handler: RouteHandler<Output>): this
  /** A handler of one's own for POST. */
  post (path: string, options: HandlerOptions<undefined>, handler: RouteHandler<any>): this
  post<Output> (path: string, options: HandlerOptions<StandardSchema<any, Output>>, handler: RouteHandler<Output>): this
  /** The routes of the files, once they are loaded, and the own handlers. */
  list (): Route[]
  /** Resolves when the files are loaded; rejects with file, line and what is wrong with it. */
  readonly ready: Promise<this>
  /** Reads the directory again. Rejects with what is wrong with it; the old files then go on. */
  reload (): Promise<this>
  /** Requests are answered with 503 from now on. */
  close (): void
}
