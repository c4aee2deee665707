'use strict'
// Requests that a server has to accept or to refuse, byte by byte: what the HTTP
// door's tests in C read, and what may be sent to a running server.
//
//   node test/http/corpus.js          a line for each: name, whole requests that
//                                     are in it, status of the refusal behind them
//                                     (0: none), bytes in hexadecimal digits
//
// -> module.exports: [{ name, requests, status, bytes }]

const cases = []

// Texts are latin1: a character is a byte.
function add (name, text, { requests = 1, status = 0 } = {}) {
  cases.push({ name, requests, status, bytes: Buffer.from(text, 'latin1') })
}

// A group of requests that are answered.
function accept (group, texts) {
  for (const [name, text, requests = 1] of texts) add(`${group}: ${name}`, text, { requests })
}

// A group of requests that are refused, with 400 or what the third element says.
function refuse (group, texts) {
  for (const [name, text, status = 400] of texts) add(`${group}: ${name}`, text, { requests: 0, status })
}

const lines = (...all) => all.join('\r\n')
const first = (line, ...headers) => lines(line, 'Host: a.example', ...headers, '', '')
const get = (...headers) => first('GET /things HTTP/1.1', ...headers)
const post = (headers, body = '') => first('POST /things HTTP/1.1', ...headers) + body
const sized = (value, body = 'abc') => post([`Content-Length:${value}`], body)
const coded = (value, body = '3\r\nabc\r\n0\r\n\r\n') => post([`Transfer-Encoding:${value}`], body)
const chunked = body => coded(' chunked', body)
const target = text => first(`GET ${text} HTTP/1.1`)

// ---- what is fine ----------------------------------------------------------

accept('fine', [
  ['a GET', get()],
  ['a HEAD', first('HEAD /things HTTP/1.1')],
  ['OPTIONS', first('OPTIONS /things HTTP/1.1')],
  ['OPTIONS of the server', first('OPTIONS * HTTP/1.1')],
  ['HTTP/1.0', first('GET / HTTP/1.0')],
  ['HTTP/1.0 that stays', first('GET / HTTP/1.0', 'Connection: keep-alive') + first('GET / HTTP/1.0'), 2],
  ['an empty line in front', '\r\n' + get()],
  ['an empty line behind a body', sized(' 3') + '\r\n' + get(), 2],
  ['two in one piece', get() + get(), 2],
  ['a POST and a GET', sized(' 3') + get(), 2],
  ['a chunked POST and a GET', chunked('3\r\nabc\r\n0\r\n\r\n') + get(), 2],
  ['a GET with a body', first('GET / HTTP/1.1', 'Content-Length: 3') + 'abc' + get(), 2],
  ['a HEAD with a body', first('HEAD / HTTP/1.1', 'Content-Length: 3') + 'abc'],
  ['a POST without a body', post([])],
  ['Connection: close', get('Connection: close')],
  ['close in a list, in capitals', get('Connection: x-a, CLOSE')],
  ['a query', target('/things?name=2---&ps=10&id=354757&age=4')],
  ['a query with odd characters', target('/a?b={"c":[1|2]}^`\\<>')],
  ['percent signs', target('/%7e%2F%00')],
  ['two slashes', target('//a.example/b')],
  ['a target of 8,192 bytes', target('/' + 'a'.repeat(8191))]
])

accept('absolute target', [
  ['with a path', target('http://a.example/things?x=1')],
  ['without a path', target('http://a.example')],
  ['https', target('https://a.example/things')],
  ['in capitals', target('HTTP://A.EXAMPLE/things')],
  ['of OPTIONS, without a path', first('OPTIONS http://a.example HTTP/1.1')],
  ['with a port', lines('GET http://a.example:8080/ HTTP/1.1', 'Host: a.example:8080', '', '')]
])

accept('header', [
  ['without a space behind the colon', get('X-A:b')],
  ['with tabs around the value', get('X-A: \tb\t ')],
  ['with an empty value', get('X-A:')],
  ['with a value of blanks', get('X-A:  \t ')],
  ['with all characters of a token', get("!#$%&'*+-.^_`|~09azAZ: b")],
  ['with underscores', get('X_Forwarded_For: b', 'Content_Length: 5', 'Transfer_Encoding: chunked')],
  ['with UTF-8 in its value', get('X-A: \xc3\xa4')],
  ['with colons in its value', get('X-A: a:b: c')],
  ['twice', get('X-A: a', 'X-A: b')],
  ['64 of them', get(...Array.from({ length: 63 }, (_, i) => `X-${i}: y`))],
  ['a whole block of 16,384 bytes', get('X-A: ' + 'b'.repeat(16384 - get('X-A: ').length))],
  ['Host with a port', lines('GET / HTTP/1.1', 'Host: 127.0.0.1:4000', '', '')],
  ['Host of IPv6', lines('GET / HTTP/1.1', 'Host: [::1]:4000', '', '')],
  ['hOST in other case', lines('GET / HTTP/1.1', 'hOST: a', '', '')]
])

accept('upgrade', [
  ['to h2c is not taken', get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk') + get(), 2],
  ['to websocket is not taken', get('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')],
  ['with a body', post(['Connection: Upgrade', 'Upgrade: h2c', 'Content-Length: 3'], 'abc') + get(), 2],
  ['without Connection', get('Upgrade: h2c')]
])

accept('length', [
  ['0', sized(' 0', '') + get(), 2],
  ['3', sized(' 3')],
  ['with zeros in front', sized(' 0003') + get(), 2],
  ['without a space', sized('3')],
  ['of 15 digits', sized(' 000000000000003')],
  ['in other case', post(['cOnTeNt-lEnGtH: 3'], 'abc')],
  ['of a body that looks like a request', sized(` ${get().length}`, get())],
  ['of 1 MiB', sized(' 1048576', 'a'.repeat(1048576))]
])

accept('chunks', [
  ['one', chunked('3\r\nabc\r\n0\r\n\r\n')],
  ['none', chunked('0\r\n\r\n') + get(), 2],
  ['three', chunked('1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n')],
  ['hexadecimal, in both cases', chunked('a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n')],
  ['zeros in front of a size', chunked('00000003\r\nabc\r\n00000000\r\n\r\n') + get(), 2],
  ['data that looks like framing', chunked('7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n') + get(), 2],
  ['an extension', chunked('3;name\r\nabc\r\n0\r\n\r\n')],
  ['an extension with a value', chunked('3;name=value\r\nabc\r\n0\r\n\r\n')],
  ['extensions, quoted too', chunked('3;a=b;c="d";e\r\nabc\r\n0;f\r\n\r\n') + get(), 2],
  ['a trailer', chunked('3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n') + get(), 2],
  ['trailers that are dropped', chunked('0\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n') + get(), 2],
  ['a trailer without a value', chunked('0\r\nX-A:\r\n\r\n')],
  ['the word in capitals', coded(' CHUNKED')],
  ['the word without a space', coded('chunked')]
])

accept('expect', [
  ['100-continue', post(['Expect: 100-continue', 'Content-Length: 3'], 'abc')],
  ['100-continue in capitals', post(['Expect: 100-Continue', 'Content-Length: 3'], 'abc')],
  ['100-continue of chunks', post(['Expect: 100-continue', 'Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n')],
  ['100-continue without a body', get('Expect: 100-continue')],
  ['100-continue of HTTP/1.0', first('POST / HTTP/1.0', 'Expect: 100-continue', 'Content-Length: 3') + 'abc']
])

accept('not whole', [
  ['nothing', '', 0],
  ['half a line', 'GET / HT', 0],
  ['no empty line', get().slice(0, -2), 0],
  ['a CR that waits', get().slice(0, -1), 0],
  ['half a body', sized(' 4'), 0],
  ['a chunk without its end', chunked('3\r\nab'), 0],
  ['chunks without the last', chunked('3\r\nabc\r\n'), 0],
  ['the last chunk without its line', chunked('3\r\nabc\r\n0\r\n'), 0],
  ['behind close', get('Connection: close') + 'anything \0 goes', 1],
  ['behind HTTP/1.0', first('GET / HTTP/1.0') + get(), 1],
  ['behind close and keep-alive', get('Connection: keep-alive, close') + get(), 1]
])

// ---- the request line ------------------------------------------------------

refuse('line', [
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['a bracket within those of Host', lines('GET / HTTP/1.1', 'Host: [::1[]:4000', '', '')],
  ['nothing within the brackets of Host', lines('GET / HTTP/1.1', 'Host: []', '', '')],
  ['no version', lines('GET / ', 'Host: a', '', '')],
  ['two spaces behind the method', first('GET  / HTTP/1.1')],
  ['two spaces behind the target', first('GET /  HTTP/1.1')],
  ['a space at its end', first('GET / HTTP/1.1 ')],
  ['a space in front', first(' GET / HTTP/1.1')],
  ['a tab behind the method', first('GET\t/ HTTP/1.1')],
  ['a tab in front of the version', first('GET /\tHTTP/1.1')],
  ['a space in the target', first('GET /a b HTTP/1.1')],
  ['a form feed behind the method', first('GET\f/ HTTP/1.1')],
  ['http in small letters', first('GET / http/1.1')],
  ['another protocol', first('GET / ICE/1.1')],
  ['HTTP/1.2', first('GET / HTTP/1.2'), 505],
  ['HTTP/1.9', first('GET / HTTP/1.9'), 505],
  ['HTTP/2.0', first('GET / HTTP/2.0'), 505],
  ['HTTP/0.9 in words', first('GET / HTTP/0.9'), 505],
  ['HTTP/1', first('GET / HTTP/1')],
  ['HTTP/1.10', first('GET / HTTP/1.10')],
  ['HTTP/01.1', first('GET / HTTP/01.1')],
  ['HTTP/1,1', first('GET / HTTP/1,1')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['a greeting of TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
  ['a greeting of nng', '\0SP\0\0\x30\0\0'],
  ['two empty lines in front', '\r\n\r\n' + get()],
  ['an empty line of LF in front', '\n' + get()],
  ['a byte order mark in front', '\xef\xbb\xbf' + get()]
])

refuse('method', [
  ['PUT', first('PUT / HTTP/1.1'), 405],
  ['DELETE', first('DELETE / HTTP/1.1'), 405],
  ['PATCH', first('PATCH / HTTP/1.1'), 405],
  ['TRACE', first('TRACE / HTTP/1.1'), 405],
  ['CONNECT', first('CONNECT a.example:443 HTTP/1.1'), 405],
  ['in small letters', first('get / HTTP/1.1'), 501],
  ['GETX', first('GETX / HTTP/1.1'), 501],
  ['GE', first('GE / HTTP/1.1'), 501],
  ['PROPFIND', first('PROPFIND / HTTP/1.1'), 501],
  ['with a NUL', first('GET\0 / HTTP/1.1')],
  ['with a colon', first('GET: / HTTP/1.1')],
  ['in brackets', first('(GET) / HTTP/1.1')],
  ['with a letter beyond ASCII', first('G\xc9T / HTTP/1.1')]
])

refuse('target', [
  ['a word', target('things')],
  ['an asterisk of GET', target('*')],
  ['an authority', target('a.example:80')],
  ['another host than Host', target('http://b.example/')],
  ['another port than Host', target('http://a.example:81/')],
  ['a user', target('http://me@a.example/')],
  ['no host', target('http:///things')],
  ['another scheme', target('ftp://a.example/')],
  ['a file', target('file:///etc/passwd')],
  ['a query without a path', target('http://a.example?x')],
  ['a fragment', target('/a#b')],
  ['a backslash in front', target('\\things')],
  ['a control byte', target('/a\x01')],
  ['a NUL', target('/a\0')],
  ['a DEL', target('/a\x7f')],
  ['UTF-8', target('/\xc3\xa9')],
  ['8,193 bytes', target('/' + 'a'.repeat(8192)), 414],
  ['20,000 bytes', target('/' + 'a'.repeat(20000)), 414],
  ['20,000 bytes without an end', 'GET /' + 'a'.repeat(20000), 414]
])

// ---- lines and fields ------------------------------------------------------

refuse('line end', [
  ['LF alone', get().replaceAll('\r\n', '\n')],
  ['LF alone behind the first line', get().replace('\r\n', '\n')],
  ['LF alone behind Host', lines('GET / HTTP/1.1', 'Host: a\nX-A: b', '', '')],
  ['LF alone at the end', get().slice(0, -2) + '\n'],
  ['CR alone in a value', get('X-A: a\rb')],
  ['CR alone in front of a header (CVE-2023-30589)', get('X-A:\rTransfer-Encoding: chunked')],
  ['CR alone instead of a line\'s end', get('X-A: a\rContent-Length: 5')],
  ['CR CR LF', get('X-A: a\r')],
  ['CR LF CR and a letter (CVE-2025-23167)', get().slice(0, -2) + '\rXContent-Length: 3\r\n\r\n'],
  ['CR alone in the first line', first('GET /\r HTTP/1.1')],
  ['CR alone in front of it all', '\r' + get()],
  ['LF CR', get().replaceAll('\r\n', '\n\r')]
])

refuse('header', [
  ['a blank at a line\'s begin (CVE-2024-27982)', post([' Content-Length: 3'], 'abc')],
  ['a tab at a line\'s begin', post(['\tContent-Length: 3'], 'abc')],
  ['a blank at the first header', lines('GET / HTTP/1.1', ' Host: a', '', '')],
  ['a value in two lines', get('X-A: a', ' b')],
  ['a value in two lines, the first empty', get('X-A:', '\tb')],
  ['a line of one blank', get('X-A: a', ' ')],
  ['a blank in front of the colon', post(['Content-Length : 3'], 'abc')],
  ['a tab in front of the colon', get('X-A\t: b')],
  ['a blank in the name', get('X A: b')],
  ['no colon', get('X-A')],
  ['no name', get(': b')],
  ['brackets in the name', get('X(A): b')],
  ['a quote in the name', get('"X-A": b')],
  ['a slash in the name', get('X/A: b')],
  ['a NUL in the name', get('X\0: b')],
  ['a letter beyond ASCII in the name', get('X\xe4: b')],
  ['a NUL in the value', get('X-A: a\0b')],
  ['a control byte in the value', get('X-A: a\x01b')],
  ['a vertical tab in the value', get('X-A: \x0bb')],
  ['a DEL in the value', get('X-A: a\x7fb')],
  ['an escape in the value', get('X-A: \x1b[31m')],
  ['65 of them', get(...Array.from({ length: 64 }, (_, i) => `X-${i}: y`)), 431],
  ['a block of 16,385 bytes', get('X-A: ' + 'b'.repeat(16385 - get('X-A: ').length)), 431],
  ['a header of 20,000 bytes', get('X-A: ' + 'b'.repeat(20000)), 431],
  ['a header without an end', get().slice(0, -2) + 'X-A: ' + 'b'.repeat(20000), 431],
  ['many small ones without an end', get().slice(0, -2) + 'X: y\r\n'.repeat(4000), 431]
])

refuse('Host', [
  ['none', 'GET / HTTP/1.1\r\n\r\n'],
  ['none of HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
  ['two', get('Host: b')],
  ['two alike', get('Host: a.example')],
  ['two in different case', get('hOsT: a.example')],
  ['empty', lines('GET / HTTP/1.1', 'Host:', '', '')],
  ['a list', lines('GET / HTTP/1.1', 'Host: a, b', '', '')],
  ['a path', lines('GET / HTTP/1.1', 'Host: a/b', '', '')],
  ['a user', lines('GET / HTTP/1.1', 'Host: me@a', '', '')],
  ['a port in letters', lines('GET / HTTP/1.1', 'Host: a:b', '', '')],
  ['a bracket alone', lines('GET / HTTP/1.1', 'Host: [::1', '', '')],
  ['a port alone', lines('GET / HTTP/1.1', 'Host: :80', '', '')],
  ['in a name with a blank', lines('GET / HTTP/1.1', 'Host : a', '', '')]
])

// ---- framing ---------------------------------------------------------------

refuse('length', [
  ['two that differ', post(['Content-Length: 3', 'Content-Length: 4'], 'abc')],
  ['two alike', post(['Content-Length: 3', 'Content-Length: 3'], 'abc')],
  ['two far from each other', post(['Content-Length: 3', 'X-A: b', 'content-length: 0'], 'abc')],
  ['a list', sized(' 3, 3')],
  ['a list of others', sized(' 3,4')],
  ['a plus', sized(' +3')],
  ['a minus', sized(' -3')],
  ['minus nothing', sized(' -0', '')],
  ['hexadecimal', sized(' 0x3')],
  ['letters', sized(' abc')],
  ['empty', sized('', '')],
  ['a blank', sized(' ', '')],
  ['a fraction', sized(' 3.0')],
  ['an exponent', sized(' 3e0')],
  ['an underscore', sized(' 1_0', '0123456789')],
  ['two words', sized(' 3 3')],
  ['in quotes', sized(' "3"')],
  ['blanks behind it', sized(' 3 \t ')],
  ['a tab in front', sized('\t3')],
  ['16 digits', sized(' 0000000000000003')],
  ['more than 64 bits', sized(' 18446744073709551619')],
  ['digits of another script', sized(' \xd9\xa3')],
  ['1 MiB and a byte', sized(' 1048577'), 413],
  ['15 nines', sized(' 999999999999999'), 413]
])

refuse('coding', [
  ['beside a length', post(['Content-Length: 3', 'Transfer-Encoding: chunked'], '3\r\nabc\r\n0\r\n\r\n')],
  ['in front of a length', post(['Transfer-Encoding: chunked', 'Content-Length: 3'], '3\r\nabc\r\n0\r\n\r\n')],
  ['beside a length of 0', post(['Content-Length: 0', 'Transfer-Encoding: chunked'], '0\r\n\r\n')],
  ['another beside a length', post(['Content-Length: 3', 'Transfer-Encoding: x'], 'abc')],
  ['twice', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n')],
  ['twice, the second identity', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], '0\r\n\r\n')],
  ['chunked and more letters (CVE-2022-32213)', coded(' chunkedchunked')],
  ['letters and chunked', coded(' notchunked')],
  ['chunked in two lines (CVE-2022-32215)', coded(' chunked\r\n , identity')],
  ['chunked in the second line', coded('\r\n chunked')],
  ['identity', coded(' identity', '')],
  ['chunked, identity', coded(' chunked, identity')],
  ['identity, chunked', coded(' identity, chunked')],
  ['gzip, chunked', coded(' gzip, chunked')],
  ['chunked, chunked', coded(' chunked, chunked')],
  ['a comma behind it', coded(' chunked,')],
  ['a comma in front', coded(' ,chunked')],
  ['a parameter', coded(' chunked;q=1')],
  ['in quotes', coded(' "chunked"')],
  ['a vertical tab in front', coded(' \x0bchunked')],
  ['a NUL behind it', coded(' chunked\0')],
  ['a DEL in front', coded(' \x7fchunked')],
  ['blanks behind it', coded(' chunked \t ')],
  ['a tab in front', coded('\tchunked')],
  ['empty', coded('')],
  ['cut short', coded(' chunke')],
  ['in HTTP/1.0', first('POST / HTTP/1.0', 'Transfer-Encoding: chunked') + '0\r\n\r\n']
])

refuse('chunk', [
  ['no size', chunked('\r\nabc\r\n0\r\n\r\n')],
  ['0x', chunked('0x3\r\nabc\r\n0\r\n\r\n')],
  ['a plus', chunked('+3\r\nabc\r\n0\r\n\r\n')],
  ['a minus', chunked('-3\r\nabc\r\n0\r\n\r\n')],
  ['a letter behind f', chunked('g\r\nabc\r\n0\r\n\r\n')],
  ['an underscore', chunked('1_0\r\n0123456789abcdef\r\n0\r\n\r\n')],
  ['a blank in front', chunked(' 3\r\nabc\r\n0\r\n\r\n')],
  ['a blank behind', chunked('3 \r\nabc\r\n0\r\n\r\n')],
  ['a tab behind', chunked('3\t\r\nabc\r\n0\r\n\r\n')],
  ['nine digits', chunked('000000003\r\nabc\r\n0\r\n\r\n')],
  ['more than 64 bits', chunked('fffffffffffffffff3\r\nabc\r\n0\r\n\r\n')],
  ['larger than a body', chunked('100001\r\nabc'), 413],
  ['8 digits', chunked('ffffffff\r\nabc'), 413],
  ['too large with the one before', chunked('100000\r\n' + 'a'.repeat(1048576) + '\r\n1\r\na\r\n0\r\n\r\n'), 413],
  ['LF alone', chunked('3\nabc\n0\n\n')],
  ['LF alone behind the size', chunked('3\nabc\r\n0\r\n\r\n')],
  ['LF alone behind the data', chunked('3\r\nabc\n0\r\n\r\n')],
  ['CR alone behind the size', chunked('3\rabc\r\n0\r\n\r\n')],
  ['two CR behind the size', chunked('3\r\r\nabc\r\n0\r\n\r\n')],
  ['too much data', chunked('3\r\nabcd\r\n0\r\n\r\n')],
  ['too little data', chunked('3\r\nab\r\n0\r\n\r\n')],
  ['no line end behind the data', chunked('3\r\nabc0\r\n\r\n')],
  ['two other bytes behind the data', chunked('3\r\nabcXX0\r\n\r\n')],
  ['an LF in an extension (CVE-2025-55315)', chunked('3;a\nb\r\nabc\r\n0\r\n\r\n')],
  ['a CR in an extension', chunked('3;a\rb\r\nabc\r\n0\r\n\r\n')],
  ['an LF in a quoted extension', chunked('3;a="\nb"\r\nabc\r\n0\r\n\r\n')],
  ['a NUL in an extension', chunked('3;a\0\r\nabc\r\n0\r\n\r\n')],
  ['a blank in an extension', chunked('3; a\r\nabc\r\n0\r\n\r\n')],
  ['a byte beyond ASCII in an extension', chunked('3;a=\x80\r\nabc\r\n0\r\n\r\n')],
  ['an empty extension', chunked('3;\r\nabc\r\n0\r\n\r\n')],
  ['an extension of 20,000 bytes', chunked('3;' + 'a'.repeat(20000)), 431],
  ['many extensions', chunked(`1;${'a'.repeat(99)}\r\nb\r\n`.repeat(200)), 431],
  ['a line that is neither trailer nor end', chunked('0\r\nabc\r\n\r\n')],
  ['a trailer without a name', chunked('0\r\n: b\r\n\r\n')],
  ['a trailer with a blank in front', chunked('0\r\n X-A: b\r\n\r\n')],
  ['a trailer with a blank in its name', chunked('0\r\nX-A : b\r\n\r\n')],
  ['a trailer in two lines', chunked('0\r\nX-A: b\r\n c\r\n\r\n')],
  ['a trailer with a NUL', chunked('0\r\nX-A: \0\r\n\r\n')],
  ['a trailer with LF alone', chunked('0\r\nX-A: b\n\r\n')],
  ['a trailer with CR alone', chunked('0\r\nX-A: b\rc\r\n\r\n')],
  ['a trailer of 20,000 bytes', chunked('0\r\nX-A: ' + 'b'.repeat(20000)), 431],
  ['LF alone at the end', chunked('0\r\n\n')],
  ['CR and a letter at the end', chunked('0\r\n\rX')]
])

refuse('expect', [
  ['something else', post(['Expect: 200-ok', 'Content-Length: 3'], 'abc'), 417],
  ['a list', post(['Expect: 100-continue, x', 'Content-Length: 3'], 'abc'), 417],
  ['twice', post(['Expect: 100-continue', 'Expect: 100-continue', 'Content-Length: 3'], 'abc'), 417],
  ['nothing', get('Expect:'), 417]
])

// ---- behind a request that is fine -----------------------------------------

for (const [name, rest, status = 400] of [
  ['a request that is not', get('Host: b')],
  ['more than its length', 'abc' + get(), 501],
  ['one that hides in the rest of a body', 'X' + get(), 501],
  ['two empty lines', '\r\n\r\n' + get()],
  ['a method that is not answered', first('PUT / HTTP/1.1'), 405],
  ['a target that is too long', target('/' + 'a'.repeat(8192)), 414],
  ['a bad chunk', chunked('x\r\n') + get()]
]) {
  add(`second: ${name}`, sized(' 3') + rest, { requests: 1, status })
}

module.exports = cases

if (require.main === module) {
  for (const { name, requests, status, bytes } of cases) {
    console.log([name, requests, status, bytes.toString('hex')].join('\t'))
  }
}
