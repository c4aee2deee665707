'use strict'

// A logger: a level, the fields that all its lines have as ready text, and where
// the lines go. What a line costs is decided here: it is put together from pieces
// that are kept, as bytes where the sink has a page for them (page.js) and as text
// elsewhere (text.js), and goes to the sink in one call.

const { builtin } = require('../base/builtin')
const { EventEmitter } = builtin('node:events')
const { levelOf, find } = require('./levels')
const { isPlain, quote, number, head, keyOf, first, ending } = require('./text')
const { Repeats } = require('./repeats')
const { Piece, putPiece, putText, putString, putNumber, NO_ROOM } = require('./page')
const { format } = require('./format')
const { Walk, cut, unreadable, isRequest, isResponse } = require('./serialise')
const { isError, isLiteral } = require('./realm')
const { compile, merge } = require('./redact')
const { table } = require('./options')
const { styleOfChild, readFormatters, readSerializers } = require('./style')
const { nearest } = require('../base/did-you-mean')
const { UndercroftError, expected, describe } = require('../base/errors')
const { state, Context, current, newTraceId, newSpanId } = require('../base/trace')
const { Span, runSpan } = require('./span')
const { http, bun } = require('./http')

const hasOwn = Object.prototype.hasOwnProperty
const MESSAGE = new Piece(',"msg":')
const END = new Piece('}\n')
const messages = new Repeats(',"msg":', '}\n')
// Messages up to here are remembered with the field before them.
const SHORT = 48
// How often a line that is too long is made with less room.
const TRIES = 5

class Logger {
  #core
  // { level, owner }: shared with the children that have no level of their own.
  #gate
  // The fields of all lines, each with a comma before it.
  #tail
  // Redaction, serialisers and style, or null.
  #rules
  #prefix
  // The span that all its lines belong to, or null: that of what runs then.
  #context

  /**
   * @param {object} core what all loggers of a log share: { sink, maxLineBytes, ... }, see ../log.js
   * @param {{ level: number, owner: Logger|null }} gate
   * @param {string} tail
   * @param {object|null} rules { redact: Rule|null, serializers: object, style: Style|null }
   * @param {string} [prefix] of the messages
   * @param {Context|null} [context] its text is in the tail
   */
  constructor (core, gate, tail, rules, prefix = '', context = null) {
    this.#core = core
    this.#gate = gate
    gate.owner ??= this
    this.#tail = tail
    this.#rules = rules
    this.#prefix = prefix
    this.#context = context
    if (core.customLevels !== null) this.#addLevels(core.customLevels)
  }

  #addLevels (levels) {
    for (const [name, level] of Object.entries(levels)) {
      this[name] = (...args) => {
        if (this.#gate.level > level) return
        if (args.length < 3) this.#log(level, args[0], args[1])
        else this.#logArgs(level, args)
      }
    }
  }

  trace (a, b) {
    if (this.#gate.level > 10) return
    if (arguments.length < 3) this.#log(10, a, b)
    else this.#logArgs(10, arguments)
  }

  debug (a, b) {
    if (this.#gate.level > 20) return
    if (arguments.length < 3) this.#log(20, a, b)
    else this.#logArgs(20, arguments)
  }

  info (a, b) {
    if (this.#gate.level > 30) return
    if (arguments.length < 3) this.#log(30, a, b)
    else this.#logArgs(30, arguments)
  }

  warn (a, b) {
    if (this.#gate.level > 40) return
    if (arguments.length < 3) this.#log(40, a, b)
    else this.#logArgs(40, arguments)
  }

  error (a, b) {
    if (this.#gate.level > 50) return
    if (arguments.length < 3) this.#log(50, a, b)
    else this.#logArgs(50, arguments)
  }

  fatal (a, b) {
    if (this.#gate.level > 60) return
    if (arguments.length < 3) this.#log(60, a, b)
    else this.#logArgs(60, arguments)
  }

  /** Nothing: the counterpart of the level silent. */
  silent () {}

  /** The name of the level from which lines are written. */
  get level () {
    return this.#core.levels.names[this.#gate.level]
  }

  /** Children that have no level of their own follow; a child that is given one has its own from then on. */
  set level (name) {
    const level = levelOf(name, 'level', this.#core.levels)
    if (this.#gate.owner === this) this.#gate.level = level
    else this.#gate = { level, owner: this }
  }

  /** The same as a number. */
  get levelVal () {
    return this.#gate.level
  }

  set levelVal (number) {
    this.level = number
  }

  /** All levels, as pino has them: { labels: { 30: 'info' }, values: { info: 30 } }. */
  get levels () {
    const { silent, ...values } = this.#core.levels.numbers
    Object.defineProperty(values, 'silent', { value: silent })
    return { labels: Object.fromEntries(Object.entries(values).map(([name, number]) => [number, name])), values }
  }

  /** Of a name that is no level: false. */
  isLevelEnabled (name) {
    return find(name, this.#core.levels) >= this.#gate.level
  }

  // (object), (message), (object, message), (message, its argument)
  #log (level, a, b) {
    try {
      if (typeof a === 'string') {
        if (b !== undefined) a = format(a, [b], 0, (value) => this.#json(value))
        this.#message(level, a)
      } else if (typeof a === 'object' && a !== null) {
        this.#object(level, a, b)
      } else {
        this.#message(level, a ?? b)
      }
    } catch (err) {
      this.#unreadable(level, a, b, err)
    }
  }

  #logArgs (level, args) {
    const [a, b] = args
    const json = (value) => this.#json(value)
    try {
      if (typeof a === 'object' || a === undefined) this.#log(level, a, typeof b === 'string' ? format(b, args, 2, json) : b)
      else this.#log(level, typeof a === 'string' ? format(a, args, 1, json) : a)
    } catch (err) {
      this.#unreadable(level, a, b, err)
    }
  }

  // What cannot be read at all, such as a proxy whose handler throws: what is known of it.
  #unreadable (level, a, b, err) {
    const core = this.#core
    try {
      core.unreadable++
      const message = typeof a === 'string' ? a : typeof b === 'string' ? b : undefined
      this.#write(level, head(level, Date.now()) + this.#tail + unreadableField(err), null, message, false)
    } catch (cause) {
      core.failed(cause)
    }
  }

  #message (level, message) {
    if (this.#rules !== null && this.#rules.style !== null) {
      this.#styled(level, null, message)
      return
    }
    if (this.#inPage(level, null, message)) return
    this.#write(level, head(level, Date.now()) + this.#tail, null, message, false)
  }

  #object (level, object, message) {
    if (this.#rules !== null && this.#rules.style !== null) {
      this.#styled(level, object, message)
      return
    }
    // What a request is would cost each line; all of node:http are emitters.
    if (!isLiteral(object) && (isError(object) || object instanceof EventEmitter)) {
      const named = nameOf(object)
      if (named !== object) {
        if (message === undefined) message = messageIn(named)
        this.#slowly(level, named, message)
        return
      }
    }
    if (this.#rules !== null) {
      this.#slowly(level, object, message ?? messageIn(object))
      return
    }
    if (this.#inPage(level, object, message)) return
    let line = head(level, Date.now()) + this.#tail
    let key = first
    // The last value was a string, and its closing quote is still to come.
    let isOpen = false
    for (const name in object) {
      // Object.hasOwn costs four times as much on Node 20.
      if (!hasOwn.call(object, name)) continue
      const next = key.next
      if (next.name === name) key = next
      else key = key.next = keyOf(name)
      let value
      try {
        value = object[name]
      } catch {
        line += (isOpen ? key.open : key.plain) + new Walk(200).field(object, name, null)
        isOpen = false
        continue
      }
      if (typeof value === 'string') {
        if (isPlain(value)) {
          line += (isOpen ? key.openText : key.plainText) + value
          isOpen = true
          continue
        }
        line += (isOpen ? key.open : key.plain) + (value.length < 1000 ? JSON.stringify(value) : this.#json(value))
        if (line.length > this.#core.maxLineBytes) break
      } else if (typeof value === 'number') {
        line += (isOpen ? key.open : key.plain) + number(value)
      } else if (typeof value === 'boolean') {
        line += (isOpen ? key.open : key.plain) + (value ? 'true' : 'false')
      } else if (value === undefined || typeof value === 'function') {
        continue
      } else {
        line += (isOpen ? key.open : key.plain) + this.#json(value)
        // What is behind it will not be looked at: the line is made anew.
        if (line.length > this.#core.maxLineBytes) break
      }
      isOpen = false
    }
    if (message === undefined) message = messageIn(object)
    this.#write(level, line, object, message, isOpen, key)
  }

  // With redaction and serialisers, and for errors and requests.
  #slowly (level, object, message) {
    const line = head(level, Date.now()) + this.#tail
    const [values, redact] = this.#converted(object)
    const walk = new Walk(this.#core.maxLineBytes)
    const fields = walk.fields(values, redact)
    if (walk.isSpent) this.#core.sink.write(this.#shorten(level, object, message), level)
    else this.#write(level, line + fields, object, message, false)
  }

  // A line in a style of its own: see style.js.
  #styled (level, object, message) {
    const { style, serializers } = this.#rules
    const core = this.#core
    if (object !== null) {
      const named = nameOf(object, style.errorKey)
      if (message === undefined) message = style.saysMessage(named) ? undefined : messageIn(named, style.errorKey)
      object = named
    }
    const fields = style.fieldsOf(object ?? {}, level, this)
    const begin = style.begin(level)
    const walk = new Walk(core.maxLineBytes)
    const text = style.place(walk.fields(...this.#converted(fields)))
    if (typeof message === 'string') message = this.#prefix + message
    const convert = serializers[style.messageKey]
    if (message !== undefined && convert !== undefined) message = convert(message)
    if (message !== undefined && this.#rules.redact !== null) message = this.#rules.redact.instead(style.messageKey, message)
    const end = message === undefined ? '' : style.message + (typeof message === 'string' && message.length < 1000 ? quote(message) : this.#json(message))
    const line = '{' + (begin + this.#tail + text + this.#contextText() + end).slice(1) + '}\n'
    const fits = !walk.isSpent && Buffer.byteLength(line) <= core.maxLineBytes
    core.sink.write(fits ? line : this.#shorten(level, fields, message, ''), level)
  }

  #contextText () {
    return state.storage === null || this.#context !== null ? '' : state.storage.getStore()?.text ?? ''
  }

  // The line as bytes, where the sink takes them. False: it is still to be made; a line
  // that has no room in the page is begun anew then, and getters are asked again.
  #inPage (level, object, message) {
    const { page } = this.#core
    if (page === null || page.isBusy) return false
    page.isBusy = true
    try {
      let p = page.begin(head(level, Date.now()), this.#tail)
      if (p !== NO_ROOM && object !== null) {
        p = this.#putFields(page, p, object)
        if (message === undefined) message = messageIn(object)
      }
      if (p !== NO_ROOM) p = this.#putEnd(page, p, message)
      if (p === NO_ROOM) return false
      if (p <= this.#core.maxLineBytes) page.put(p)
      else this.#core.sink.write(this.#shorten(level, object, message), level)
      return true
    } finally {
      page.isBusy = false
    }
  }

  #putFields (page, p, object) {
    const { bytes, view } = page
    let key = first
    for (const name in object) {
      // Object.hasOwn costs four times as much on Node 20.
      if (!hasOwn.call(object, name)) continue
      let value, unreadable
      try {
        value = object[name]
      } catch {
        unreadable = new Walk(200).field(object, name, null)
      }
      if (unreadable === undefined && (value === undefined || typeof value === 'function')) continue
      const next = key.next
      if (next.name === name) key = next
      else key = key.next = keyOf(name)
      if (key.piece === null) {
        key.piece = new Piece(key.plain)
        key.values = new Repeats(key.plain, '')
      }
      if (typeof value === 'string') {
        const known = key.values.find(value)
        if (known !== null) {
          p = putPiece(view, p, known)
          if (p === NO_ROOM) return p
          continue
        }
      }
      p = putPiece(view, p, key.piece)
      if (p === NO_ROOM) return p
      if (unreadable !== undefined) p = putText(bytes, p, unreadable)
      else if (typeof value === 'string' && value.length < 1000) p = putString(bytes, p, value)
      else if (typeof value === 'number') p = putNumber(page, p, value)
      else p = putText(bytes, p, typeof value === 'boolean' ? (value ? 'true' : 'false') : this.#json(value))
      if (p === NO_ROOM) return p
    }
    return p
  }

  #putEnd ({ bytes, view }, p, message) {
    if (state.storage !== null && this.#context === null) {
      const context = state.storage.getStore()
      if (context !== undefined) p = putText(bytes, p, context.text)
      if (p === NO_ROOM) return p
    }
    if (message === undefined) return putPiece(view, p, END)
    if (typeof message === 'string') {
      if (this.#prefix !== '') message = this.#prefix + message
      const known = messages.find(message)
      if (known !== null) return putPiece(view, p, known)
    }
    p = putPiece(view, p, MESSAGE)
    if (p === NO_ROOM) return p
    if (typeof message === 'string') {
      p = message.length < 1000 ? putString(bytes, p, message) : putText(bytes, p, this.#json(message))
    } else {
      p = putText(bytes, p, this.#json(message))
    }
    return p === NO_ROOM ? p : putPiece(view, p, END)
  }

  // The fields of many lines.
  #fields (object) {
    try {
      const { maxLineBytes } = this.#core
      const [values, redact] = this.#converted(object)
      const walk = new Walk(maxLineBytes)
      const text = walk.fields(values, redact)
      return walk.isSpent ? new Walk(maxLineBytes >> 1).shares(values, redact) : text
    } catch (err) {
      this.#core.unreadable++
      return unreadableField(err)
    }
  }

  // What is to be written of an object, and what of that is to be redacted.
  #converted (object) {
    if (this.#rules === null) return [object, null]
    const { redact, serializers, style } = this.#rules
    const out = { __proto__: null }
    for (const name of Object.keys(object)) {
      const convert = serializers[name] ?? (style !== null && name === style.errorKey ? serializers.err : undefined)
      try {
        out[name] = convert === undefined ? object[name] : convert(object[name])
      } catch (err) {
        out[name] = unreadable(err)
      }
    }
    return [out, redact]
  }

  // A message, or an argument of one: paths of `redact` begin at the value itself.
  #json (value) {
    return new Walk(this.#core.maxLineBytes).text(value, this.#rules === null ? null : this.#rules.redact) ?? 'null'
  }

  #write (level, line, object, message, isOpen, key = first) {
    const core = this.#core
    if (line.length > core.maxLineBytes) {
      core.sink.write(this.#shorten(level, object, message), level)
      return
    }
    const said = message
    if (state.storage !== null && this.#context === null) {
      const context = state.storage.getStore()
      if (context !== undefined) {
        line += isOpen ? '"' + context.text : context.text
        isOpen = false
      }
    }
    if (typeof message === 'string') {
      if (this.#prefix !== '') message = this.#prefix + message
      if (message.length <= SHORT) {
        if (message === key.said) line += isOpen ? key.endOpen : key.end
        else line += ending(key, message, isOpen)
      } else {
        line += (isOpen ? '","msg":' : ',"msg":') + (message.length < 1000 ? JSON.stringify(message) : this.#json(message)) + '}\n'
      }
    } else if (message === undefined) {
      line += isOpen ? '"}\n' : '}\n'
    } else {
      line += (isOpen ? '","msg":' : ',"msg":') + this.#json(message) + '}\n'
    }
    if (line.length > core.safeLength && Buffer.byteLength(line) > core.maxLineBytes) line = this.#shorten(level, object, said)
    core.sink.write(line, level)
  }

  // A line that is longer than one may be, made anew: what is small is whole, what is
  // large is cut, and marked.
  #shorten (level, object, message, prefix = this.#prefix) {
    const most = this.#core.maxLineBytes
    if (typeof message === 'string') message = prefix + message
    let room = most
    for (let i = 0; i < TRIES; i++) {
      const line = this.#withRoom(level, object, message, room)
      const bytes = Buffer.byteLength(line)
      if (bytes <= most) return line
      // Characters were counted, and neither their bytes nor their escapes.
      room = Math.floor(room * most / bytes * 0.95)
    }
    return head(level, Date.now()) + ',"truncated":true}\n'
  }

  #withRoom (level, object, message, room) {
    const style = this.#rules === null ? null : this.#rules.style
    let line = style === null ? ',' + head(level, Date.now()).slice(1) : style.begin(level)
    const quarter = room >> 2
    line += this.#tail.length <= quarter ? this.#tail : new Walk(quarter).shares(this.bindings(), null)
    let end = this.#contextText()
    const key = style === null ? ',"msg":' : style.message
    if (typeof message === 'string') {
      end += key + JSON.stringify(message.length > quarter ? cut(message, quarter) : message)
    } else if (message !== undefined) {
      end += key + (new Walk(quarter).text(message, this.#rules === null ? null : this.#rules.redact) ?? 'null')
    }
    end += ',"truncated":true}\n'
    if (object !== null) {
      const [values, redact] = this.#converted(object)
      const text = new Walk(Math.max(1, room - line.length - end.length)).shares(values, redact)
      line += style === null ? text : style.place(text)
    }
    return '{' + line.slice(1) + end
  }

  /**
   * A logger whose lines have the bindings as well.
   *
   * @param {object} bindings
   * @param {{ level?, redact?, serializers?, formatters?, msgPrefix? }} [options]
   */
  child (bindings = {}, options = undefined) {
    if (typeof bindings !== 'object' || bindings === null) throw expected('UC_OPTION', 'child: bindings', 'an object', bindings)
    if (options === undefined) return new Logger(this.#core, this.#gate, this.#tail + this.#fields(bindings), this.#rules, this.#prefix, this.#context)
    checkChild(options)
    const { level, msgPrefix } = options
    const rules = this.#rulesWith(options)
    const gate = level === undefined ? this.#gate : { level: levelOf(level, 'child: option level', this.#core.levels), owner: null }
    const own = new Logger(this.#core, gate, this.#tail, rules, this.#prefix + String(msgPrefix ?? ''), this.#context)
    const format = options.formatters?.bindings
    own.#tail += own.#fields(format === undefined ? bindings : Object(format(bindings)))
    return own
  }

  #rulesWith ({ redact, serializers, formatters }) {
    if (redact === undefined && serializers === undefined && formatters === undefined) return this.#rules
    const before = this.#rules ?? { redact: null, serializers: NO_SERIALIZERS, style: null }
    const own = redact === undefined ? null : compile(redact, 'child: option redact')
    const converts = serializers === undefined ? before.serializers : { __proto__: null, ...before.serializers, ...readSerializers(serializers, 'child: option serializers') }
    const both = merge(before.redact, own)
    return {
      redact: both,
      serializers: converts,
      style: styleOfChild(before.style, this.#core.levels, readFormatters(formatters ?? {}, 'child: option formatters'), converts, both)
    }
  }

  /** Further fields of its lines from now on; not of children that it has already. */
  setBindings (bindings) {
    if (typeof bindings !== 'object' || bindings === null) throw expected('UC_OPTION', 'setBindings: bindings', 'an object', bindings)
    this.#tail += this.#fields(bindings)
  }

  /** The fields that all its lines have. */
  bindings () {
    return JSON.parse('{' + this.#tail.slice(1) + '}')
  }

  /**
   * All lines are where they belong.
   *
   * @param {{ sync?: boolean, timeoutMs?: number }|Function} [opts] sync: on disk; a
   *   function is called back, as pino's flush does
   */
  flush (opts = {}, done = undefined) {
    if (typeof opts === 'function') [opts, done] = [{}, opts]
    const flushed = Promise.resolve(this.#core.sink.flush(opts))
    if (done === undefined) return flushed
    flushed.then(() => done(), done)
  }

  /**
   * A piece of work: its duration is logged when it ends. With a function it runs that
   * inside of the span and ends it with it.
   *
   * @param {string} name
   * @param {object|Function} [bindings] fields of the line that ends it
   * @param {Function} [fn] (span) -> anything
   * @returns {Span|*} what fn returned, where there is one
   */
  span (name, bindings = undefined, fn = undefined) {
    if (typeof bindings === 'function') [bindings, fn] = [undefined, bindings]
    if (typeof name !== 'string' || name === '') throw expected('UC_OPTION', 'span: name', 'a text', name)
    const parent = this.#context ?? current()
    const context = new Context(parent?.traceId ?? newTraceId(), newSpanId())
    const span = new Span(this.#within(context), name, bindings, context, parent)
    return fn === undefined ? span : runSpan(span, fn)
  }

  #within (context) {
    // The ids of an outer span are not repeated, and not left standing.
    const tail = this.#context === null ? this.#tail : this.#tail.replace(this.#context.text, '')
    return new Logger(this.#core, this.#gate, tail + context.text, this.#rules, this.#prefix, context)
  }

  #maker () {
    return {
      child: (bindings) => this.child(bindings),
      within: (context) => this.#within(context),
      text: (fields) => this.#fields(fields)
    }
  }

  /**
   * A line for each request of node:http: of a request and its response, of a handler,
   * or of a whole server.
   */
  http (target, second, third) {
    return http(this.#maker(), target, second, third)
  }

  /** The same for the function fetch of Bun.serve: (request, server, log) -> response. */
  bun (handler, options) {
    return bun(this.#maker(), handler, options)
  }
}

const NO_SERIALIZERS = Object.freeze({ __proto__: null })

const OF_CHILD = ['level', 'redact', 'serializers', 'formatters', 'msgPrefix']

// pino-http hands all that it was given itself to a child. What it has no use for
// passes; what was meant for us does not.
function checkChild (options) {
  if (typeof options !== 'object' || options === null) throw expected('UC_OPTION', 'child: options', 'an object', options)
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || OF_CHILD.includes(name)) continue
    if (table[name] !== undefined) throw new UndercroftError('UC_OPTION', `child: option ${name} is one of the whole log: it goes into open({ log: { ${name} } })`)
    const meant = nearest(name, OF_CHILD)
    if (meant !== null) throw new UndercroftError('UC_OPTION', `child: unknown option ${describe(name)}; did you mean ${meant}?`)
  }
  const { msgPrefix } = options
  if (msgPrefix !== undefined && typeof msgPrefix !== 'string') throw expected('UC_OPTION', 'child: option msgPrefix', 'a text', msgPrefix)
}

// An error or a request is the value of a field that has its name.
function nameOf (object, errorKey = 'err') {
  if (isError(object)) return { [errorKey]: object }
  try {
    if (isRequest(object)) return { req: object }
    if (isResponse(object)) return { res: object }
  } catch {
    // A getter that throws, which its field will tell.
  }
  return object
}

function unreadableField (err) {
  return ',"err":' + JSON.stringify(unreadable(err))
}

// What a line says that has an error and no message.
function messageIn (object, errorKey = 'err') {
  try {
    const err = object[errorKey]
    return err === undefined ? undefined : messageOf(err)
  } catch {
    return undefined
  }
}

function messageOf (err) {
  if (typeof err !== 'object' || err === null) return undefined
  try {
    if (!isError(err)) return undefined
    return typeof err.message === 'string' ? err.message : undefined
  } catch {
    return undefined
  }
}

module.exports = { Logger, NO_SERIALIZERS }
