'use strict'

// Requests, and what each is answered with, whichever door it comes through:
//
//   { name, method = 'GET', target, headers = {}, body, status, type = '', answer = {}, text, without }
//
// headers, body   of the request; a body that is an object is sent as JSON with its type
// type            the content-type of the answer; '' where there is none
// answer          further headers of the answer. A door compares all but those of the connection, the
//                 date, the length, which has to be right, and the request's id, which has to be one
// text            the body of the answer: a text, or a value that it is the JSON of
// without         doors that cannot be asked so, and why
//
// The routes are those of fake-core.js and of own.js beside it; options.js has the options.

const JSON_TYPE = 'application/json'
const TEXT = 'text/plain; charset=utf-8'
const ORIGIN = 'https://shop.example'
const VARY = { vary: 'origin' }
const CORS = {
  ...VARY,
  'access-control-allow-origin': ORIGIN,
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': 'x-request-id, etag'
}
const PREFLIGHT = {
  'access-control-allow-headers': 'content-type, idempotency-key, x-request-id, x-tenant',
  'access-control-max-age': '600'
}

const echoed = (fields) => ({ method: 'GET', target: '/echo', headers: [], body: null, user: null, roles: [], ip: '127.0.0.1', ...fields })
const json = (text) => ({ status: 200, type: JSON_TYPE, text })
const plain = (status, text) => ({ status, type: TEXT, text })

const reading = [
  { name: 'a GET', target: '/echo', ...json(echoed()) },
  { name: 'with a query, as it was sent', target: '/echo?name=2---&ps=10&id=354757&a=%20%2F+x', ...json(echoed({ target: '/echo?name=2---&ps=10&id=354757&a=%20%2F+x' })) },
  { name: 'with an empty query', target: '/echo?', ...json(echoed({ target: '/echo?' })), without: { bun: 'it takes the question mark off', hono: 'the same', fetch: 'the same' } },
  { name: 'a path with an escape', target: '/ech%6f', ...plain(404, 'not found') },
  { name: 'headers that the core asks for, and no other', target: '/echo', headers: { 'X-Tenant': 'a', 'X-Other': 'b', Accept: '*/*' }, ...json(echoed({ headers: ['x-tenant', 'a'] })) },
  { name: 'a header beyond ASCII', target: '/echo', headers: { 'X-Tenant': Buffer.from('Zoë €').toString('latin1') }, ...json(echoed({ headers: ['x-tenant', 'Zoë €'] })) },
  { name: 'no body, no type', target: '/empty', status: 200, text: '' },
  { name: 'beyond ASCII', target: '/umlaut', ...json({ name: 'Zoë', sign: '€', face: '😀' }) },
  { name: 'HTML', target: '/page', status: 200, type: 'text/html; charset=utf-8', text: '<p>Grüße</p>' },
  { name: 'headers of the answer', target: '/counted', ...json([1, 2]), answer: { 'x-total': '2', etag: '"1"' } },
  { name: 'a tag', target: '/tagged', ...json([7]), answer: { etag: '"7"' } },
  { name: 'the same tag again', target: '/tagged', headers: { 'If-None-Match': '"7"' }, status: 304, text: '', answer: { etag: '"7"' } },
  { name: 'an answer of many packets', target: '/large', ...plain(200, 'x'.repeat(200_000)) },
  { name: 'HEAD', method: 'HEAD', target: '/echo', status: 200, type: JSON_TYPE, text: '' },
  { name: 'HEAD of nothing', method: 'HEAD', target: '/empty', status: 200, text: '' },
  { name: 'HEAD of what has not changed', method: 'HEAD', target: '/tagged', headers: { 'If-None-Match': '"7"' }, status: 304, text: '', answer: { etag: '"7"' } },
  { name: 'an id of the caller', target: '/id', headers: { 'X-Request-Id': 'a-1' }, ...plain(200, 'a-1') }
]

const writing = [
  { name: 'a POST', method: 'POST', target: '/add', body: { name: 'Ada', age: 36 }, ...json({ name: 'Ada', age: 36 }) },
  { name: 'a body beyond ASCII', method: 'POST', target: '/add', body: { name: 'Zoë €' }, ...json({ name: 'Zoë €' }) },
  { name: 'no body', method: 'POST', target: '/echo', ...json(echoed({ method: 'POST', body: '' })) },
  { name: 'a body of the largest size', method: 'POST', target: '/add', body: { x: 'y'.repeat(4088) }, ...json({ x: 'y'.repeat(4088) }) },
  { name: 'one byte more', method: 'POST', target: '/add', body: { x: 'y'.repeat(4089) }, ...plain(413, 'body: must have at most 4096 bytes') },
  { name: 'much more', method: 'POST', target: '/add', body: { x: 'y'.repeat(300_000) }, ...plain(413, 'body: must have at most 4096 bytes') },
  { name: 'a body of another type', method: 'POST', target: '/add', headers: { 'Content-Type': 'text/plain' }, body: '{}', ...plain(400, 'content-type: must be application/json') },
  { name: 'a body of no type', method: 'POST', target: '/add', body: '{}', ...plain(400, 'content-type: must be application/json'), without: { fetch: 'a text has a type there' } },
  { name: 'a key', method: 'POST', target: '/echo', headers: { 'Idempotency-Key': 'k1' }, body: {}, ...json(echoed({ method: 'POST', headers: ['content-type', JSON_TYPE, 'idempotency-key', 'k1'], body: '{}' })) }
]

const refusing = [
  { name: 'parameters', target: '/refused', ...plain(400, 'name: must be 1 to 64 characters\nage: must be between 0 and 150') },
  { name: 'no such path', target: '/nowhere', ...plain(404, 'not found') },
  { name: 'no such path, with a body', method: 'POST', target: '/nowhere', body: {}, ...plain(404, 'not found') },
  { name: 'a path that is longer', target: '/echo/', ...plain(404, 'not found') },
  { name: 'another method', method: 'PUT', target: '/echo', body: { a: 1 }, ...plain(405, 'method not allowed'), answer: { allow: 'GET, HEAD, POST' } },
  { name: 'a method that is not of the path', method: 'GET', target: '/add', ...plain(405, 'method not allowed'), answer: { allow: 'POST' } },
  { name: 'a POST where a GET is', method: 'POST', target: '/umlaut', body: { x: 'y'.repeat(5000) }, ...plain(405, 'method not allowed'), answer: { allow: 'GET, HEAD' } },
  { name: 'a GET with a body', target: '/umlaut', body: { a: 1 }, ...plain(400, 'body: a GET takes none'), without: { fetch: 'there is none', inject: 'the body is nowhere announced' } },
  { name: 'DELETE', method: 'DELETE', target: '/umlaut', ...plain(405, 'method not allowed'), answer: { allow: 'GET, HEAD' } },
  { name: 'an error of SQL', target: '/broken', ...plain(500, 'internal error') },
  { name: 'too late', target: '/late', ...plain(500, 'timed out') },
  { name: 'too much under way', target: '/busy', ...plain(503, 'busy') }
]

const identity = [
  { name: 'nobody', target: '/mine', ...plain(400, 'not logged in') },
  { name: 'somebody', target: '/mine', headers: { 'X-User': 'ada' }, ...json({ user: 'ada' }) },
  { name: 'an integer', target: '/mine', headers: { 'X-User': '7' }, ...json({ user: 7 }) },
  { name: 'with roles', target: '/echo', headers: { 'X-User': 'ada', 'X-Roles': 'editor,admin' }, ...json(echoed({ user: 'ada', roles: ['editor', 'admin'] })) },
  { name: 'one that cannot be looked up', target: '/mine', headers: { 'X-User': 'broken' }, ...plain(500, 'internal error') }
]

const origins = [
  { name: 'OPTIONS', method: 'OPTIONS', target: '/echo', status: 204, text: '', answer: { allow: 'GET, HEAD, POST, OPTIONS' } },
  { name: 'OPTIONS of nothing', method: 'OPTIONS', target: '/nowhere', ...plain(404, 'not found') },
  { name: 'a preflight', method: 'OPTIONS', target: '/add', headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' }, status: 204, text: '', answer: { ...CORS, ...PREFLIGHT, allow: 'POST, OPTIONS', 'access-control-allow-methods': 'POST' } },
  { name: 'a preflight of a stranger', method: 'OPTIONS', target: '/add', headers: { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' }, status: 204, text: '', answer: { allow: 'POST, OPTIONS' } },
  { name: 'an answer for a page of the list', target: '/umlaut', headers: { Origin: ORIGIN }, ...json({ name: 'Zoë', sign: '€', face: '😀' }), answer: CORS },
  { name: 'a failure for a page of the list', target: '/broken', headers: { Origin: ORIGIN }, ...plain(500, 'internal error'), answer: CORS },
  { name: 'an answer for a stranger', target: '/empty', headers: { Origin: 'null' }, status: 200, text: '' }
]

const own = [
  { name: 'a handler', target: '/own/sum?a=1&b=2', ...json({ sum: 3 }) },
  { name: 'HEAD of it', method: 'HEAD', target: '/own/sum?a=1&b=2', status: 200, type: JSON_TYPE, text: '' },
  { name: 'what its schema refuses', target: '/own/sum?a=x', ...plain(400, 'a: not a number\nb: Invalid key: Expected "b" but received undefined') },
  { name: 'another method of it', method: 'POST', target: '/own/sum', body: {}, ...plain(405, 'method not allowed'), answer: { allow: 'GET, HEAD' } },
  { name: 'POST', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada' }, body: { text: 'hello' }, ...json({ text: 'hello', by: 'ada' }) },
  { name: 'an asynchronous schema that refuses', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada' }, body: { text: 'taken' }, ...plain(400, 'text: is taken') },
  { name: 'nobody', method: 'POST', target: '/own/note', body: { text: 'hello' }, ...plain(400, 'not logged in') },
  { name: 'no JSON', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada', 'Content-Type': JSON_TYPE }, body: '{', ...plain(400, 'body: not valid JSON') },
  { name: 'a form', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada', 'Content-Type': 'text/plain' }, body: '{}', ...plain(400, 'content-type: must be application/json') },
  { name: 'of another site', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada', 'Sec-Fetch-Site': 'cross-site' }, body: {}, ...plain(400, 'origin: a page of another site may not post here') },
  { name: 'of another origin', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada', Origin: 'https://evil.example' }, body: {}, ...plain(400, 'origin: a page of another site may not post here') },
  { name: 'of one on the list', method: 'POST', target: '/own/note', headers: { 'X-User': 'ada', Origin: ORIGIN, 'Sec-Fetch-Site': 'cross-site' }, body: { text: 'x' }, ...json({ text: 'x', by: 'ada' }), answer: CORS },
  { name: 'a role that is not had', target: '/own/staff', headers: { 'X-User': 'ada', 'X-Roles': 'editor' }, ...plain(400, 'not allowed') },
  { name: 'a role that is', target: '/own/staff', headers: { 'X-User': 'ada', 'X-Roles': 'staff' }, status: 200, text: '' },
  { name: 'a refusal', target: '/own/refuse', ...plain(400, 'not today') },
  { name: 'an error', target: '/own/throw', ...plain(500, 'internal error') },
  { name: 'a Response', target: '/own/response', status: 201, type: TEXT, text: 'made', answer: { 'x-kind': 'test' } },
  { name: 'a header beside JSON', target: '/own/secure', headers: { 'X-Forwarded-Proto': 'https' }, ...json({ secure: false }), answer: { 'set-cookie': 'a=1' }, without: { 'node, unix': 'who asks through a socket is believed' } },
  { name: 'a header beyond ASCII', target: '/own/header?value=Zo%C3%AB+%E2%82%AC', status: 200, text: '', answer: { 'x-value': 'Zoë €' } },
  { name: 'a header of two lines', target: '/own/header?value=a%0D%0Ax-evil:+1', ...plain(500, 'internal error') },
  { name: 'a header with a name that is none', target: '/own/header?name=a+b&value=c', ...plain(500, 'internal error') },
  { name: 'cookies', target: '/own/cookies', status: 200, text: '', answer: { 'set-cookie': 'a=1, b=2' } },
  { name: 'bytes', target: '/own/bytes', status: 200, type: 'image/x-test', text: 'abc', answer: { 'x-kind': 'test' } }
]

// Each answer varies with the origin, as there is a list of origins.
const vectors = Object.entries({ reading, writing, refusing, identity, origins, own })
  .flatMap(([group, list]) => list.map((vector) => ({ method: 'GET', headers: {}, type: '', ...vector, name: `${group}: ${vector.name}`, answer: { ...VARY, ...vector.answer } })))

module.exports = { vectors, ORIGIN }
