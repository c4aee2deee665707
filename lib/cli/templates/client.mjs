/* eslint-disable */
// Written by `npx undercroft routes --client`: one function a route, for browsers and Node.

const settings = { base: '', timeoutMs: 10000, headers: {}, credentials: 'same-origin', fetch: undefined }

/** Where the service is and how it is asked: see settings. */
export function configure (changes) { Object.assign(settings, changes) }

/** 400, and HTTP's own up to 499: what the caller has to change; fields: the sentence for each parameter. */
export class RequestError extends Error {
  constructor (status, text) {
    super(text)
    this.name = 'RequestError'
    this.status = status
    this.fields = Object.fromEntries([...text.matchAll(/^(\w+): (.+)$/gm)].map(([, name, sentence]) => [name, sentence]))
  }
}

/** 500 and above. */
export class ServiceError extends Error {
  constructor (status, text) {
    super(text)
    this.name = 'ServiceError'
    this.status = status
  }
}

const textOf = (value) => value instanceof Date
  ? value.toISOString()
  : Array.isArray(value) ? value.map(textOf).join() : typeof value === 'object' ? JSON.stringify(value) : String(value)

// own: the parameters that travel as headers. What is undefined is left out; a query has no null.
async function call (method, path, params, { signal, timeoutMs = settings.timeoutMs, headers, idempotencyKey } = {}, own = {}) {
  const isPost = method === 'POST'
  const sent = { ...settings.headers, ...headers }
  const rest = {}
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value === undefined || (value === null && (!isPost || own[name]))) continue
    if (own[name]) sent[own[name]] = textOf(value)
    else rest[name] = isPost ? value : textOf(value)
  }
  if (isPost) sent['content-type'] = 'application/json'
  if (idempotencyKey) sent['idempotency-key'] = idempotencyKey
  const query = isPost ? '' : String(new URLSearchParams(rest))
  const late = AbortSignal.timeout(timeoutMs)
  const response = await (settings.fetch ?? fetch)(settings.base + path + (query && `?${query}`), {
    method,
    headers: sent,
    body: isPost ? JSON.stringify(rest) : undefined,
    credentials: settings.credentials,
    signal: signal ? AbortSignal.any([signal, late]) : late
  })
  const text = await response.text()
  if (!response.ok) throw new (response.status < 500 ? RequestError : ServiceError)(response.status, text)
  if (text === '') return undefined
  return /^application\/json\b/.test(response.headers.get('content-type')) ? JSON.parse(text) : text
}

