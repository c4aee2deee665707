import { createServer } from 'node:http'
import { expectAssignable, expectError, expectType } from 'tsd'
import { Log, Logger, LogLevel, LogOptions, LogStats, open, Span } from '../..'

const store = open('app.db', { log: { dir: 'logs', level: 'debug', rotate: { bytes: 1e6, daily: false }, compress: 'zstd', keep: { days: 7 }, redact: ['password'] } })
const { log } = store
expectType<Log>(log)
expectType<Log>(open({ log: { level: 'info' } }).log)
expectType<Log>(open({ log: true }).log)
expectError(open({ log: { levl: 'info' } }))
expectError(open('app.db', { log: { level: true } }))
expectError(open('app.db', { log: { compress: true } }))
expectAssignable<LogOptions>({ redact: { paths: ['*.token'], censor: (value: unknown) => String(value), remove: false }, pretty: 'auto', base: null })

expectType<void>(log.info('text'))
expectType<void>(log.info('disk %d%%', 91))
expectType<void>(log.error(new Error('x'), 'and what it means'))
expectType<void>(log.warn({ a: 1 }, 'text %s', 'x'))
expectType<LogLevel>(log.level)
log.level = 'warn'
expectError(log.level = 'loud')
expectType<boolean>(log.isLevelEnabled('debug'))
expectType<boolean>(log.isLevelEnabled('loud'))
log.level = 30
log.level = 'WARN'
expectType<string>(log.levels.labels[30])
expectType<number>(log.levelVal)
expectType<void>(log.setBindings({ a: 1 }))
open({
  log: {
    file: 'app',
    name: 'my shop',
    level: 'audit',
    customLevels: { audit: 35 },
    serializers: { user: (user) => user.id },
    timestamp: 'iso',
    messageKey: 'message',
    errorKey: 'error',
    nestedKey: 'payload',
    mixin: (fields, level, log) => ({ level, more: log.bindings() }),
    formatters: { level: (label, number) => ({ label, number }), bindings: ({ pid }) => ({ pid }), log: (fields) => ({ ...fields }) },
    msgPrefix: '> '
  }
})
open({ log: { timestamp: () => ',"time":1' } })
expectError(open({ log: { timestamp: 'local' } }))
expectError(open({ log: { formatters: { line: () => ({}) } } }))
const child = log.child({ reqId: 1 }, { level: 'trace', redact: ['x'], serializers: { user: (user) => user.id }, msgPrefix: '> ' })
expectType<Logger>(child)
expectType<Promise<void>>(log.flush({ sync: true }))
expectType<void>(log.flush((err) => { expectType<Error | undefined>(err) }))
expectType<Promise<void>>(log.setLevel('debug', { everywhere: true }))
expectType<Promise<void>>(log.setLevel(null, { everywhere: true }))
expectError(log.setLevel(null))
expectType<Promise<LogStats>>(log.stats())

expectType<Span>(child.span('work', { id: 1 }))
expectType<number>(log.span('work', () => 5))
expectType<Promise<string>>(log.span('work', { id: 1 }, async (span) => span.traceparent))
log.span('work').end({ rows: 5 })

const handler = log.http((req: unknown, res: { end: () => void }) => res.end())
const server = log.http(createServer(handler))
server.close()
createServer((req, res) => { expectType<Logger>(log.http(req, res)) })
expectType<(request: Request, server: { port: number }) => Promise<Response>>(
  log.bun(async (request: Request, server: { port: number }, log: Logger) => new Response('x')))
log.destination().write('{}\n')
