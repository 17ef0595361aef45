/**
 * Requests that published research on request smuggling found two servers to read in two ways, rewritten as data: the sentence
 * each proves, its bytes, and the status it gets here. Latin-1 text. Those that one reading alone is right for are below.
 */
export const SMUGGLING_REQUESTS: readonly (readonly [sentence: string, bytes: string, status: number])[] = [
  // Transfer-Encoding that one server sees and the other does not.
  ...withTransferEncoding([
    ['a letter missing', 'Transfer-Encoding: chunke', 501],
    ['another word around it', 'Transfer-Encoding: cow chunked bar', 501],
    ['in apostrophes', "Transfer-Encoding: 'chunked'", 501],
    ['after a comma', 'Transfer-Encoding: , chunked', 501],
    ['after identity', 'Transfer-Encoding: identity, chunked', 501],
    ['with a semicolon', 'Transfer-Encoding: chunked;', 501],
    ['with a form feed before it', 'Transfer-Encoding: \x0cchunked', 400],
    ['with a form feed behind it', 'Transfer-Encoding: chunked\x0c', 400],
    ['with NUL behind it', 'Transfer-Encoding: chunked\x00', 400],
    ['with a backspace before it', 'Transfer-Encoding: \x08chunked', 400],
    ['with DEL behind it', 'Transfer-Encoding: chunked\x7f', 400],
    ['with a no-break space before it', 'Transfer-Encoding: \xa0chunked', 501],
    ['with a next line before it', 'Transfer-Encoding: \x85chunked', 501],
    ['with an accent', 'Transfer-Encoding: ch\xfcnked', 501],
    ['wrapped by LF', 'Transfer-Encoding:\n chunked', 400],
    ['wrapped by CRLF', 'Transfer-Encoding:\r\n chunked', 501],
    ['wrapped twice', 'Transfer-Encoding:\r\n\r\n chunked', 501],
    ['wrapped with a vertical tab', 'Transfer-Encoding: \n\x0bchunked', 400],
    ['behind a bare CR in another field', 'X: y\rTransfer-Encoding: chunked', 400],
    ['behind a bare LF in another field', 'X: y\nTransfer-Encoding: chunked', 400],
    ['folded onto another field', 'X: y\r\n Transfer-Encoding: chunked', 400],
    ['folded onto another field by a tab', 'X: y\r\n\tTransfer-Encoding: chunked', 400],
    ['with a CR behind it', 'Transfer-Encoding: chunked\r', 400],
    ['with a word in its name', 'Transfer-Encoding x: chunked', 400],
    ['with a vertical tab behind its name', 'Transfer-Encoding\x0b: chunked', 400],
    ['with NUL behind its name', 'Transfer-Encoding\x00: chunked', 400],
    ['with a CR behind its name', 'Transfer-Encoding\r: chunked', 400],
    ['with an accent in its name', 'Tr\xe4nsfer-Encoding: chunked', 400],
    ['with a no-break space behind its name', 'Transfer-Encoding\xa0: chunked', 400],
    ['with a backslash in its name', 'Transfer\\Encoding: chunked', 400],
    ['with an equals sign for the colon', 'Transfer-Encoding=chunked', 400],
    ['twice, the second identity', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', 400],
    ['twice, the first identity', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked', 501],
    ['twice, in two cases', 'Transfer-Encoding: chunked\r\ntransfer-encoding: chunked', 400],
    ['taken away by Connection', 'Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding', 400],
  ]),
  // Content-Length that two servers read as two numbers.
  ...withContentLength([
    ['with a plus', '+5'],
    ['with an exponent', '5e0'],
    ['with a fraction', '5.0'],
    ['in hexadecimal', '0x5'],
    ['in octal', '05'],
    ['with an underscore', '0_5'],
    ['with a comma behind it', '5,'],
    ['with a comma before it', ',5'],
    ['with another number before it', '0, 5'],
    ['with another number behind it', '5, 0'],
    ['with a blank inside', '0 5'],
    ['with a semicolon', '5;'],
    ['in quotes', '"5"'],
    ['with a letter behind it', '5a'],
    ['with NUL behind it', '5\x00'],
    ['with a no-break space before it', '\xa05'],
    ['with a form feed before it', '\x0c5'],
    ['folded', '\r\n 5'],
    ['in Arabic digits', '\xd9\xa5'],
    ['empty and then given', '\r\nContent-Length: 5'],
    ['of a number that wraps round at 32 bits', '4294967301a'],
    ['of a number that wraps round at 64 bits', '18446744073709551621'],
  ]),
  // A body that is not where one looks for it.
  ['a chunk size with a sign', chunked('-5\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size with an underscore', chunked('0_5\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size with a dot', chunked('5.0\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size in quotes', chunked('"5"\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size with NUL behind it', chunked('5\x00\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size with a tab behind it', chunked('5\t\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size of letters beyond f', chunked('g\r\nhello\r\n0\r\n\r\n'), 400],
  ['a chunk size that wraps round at 64 bits', chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'), 400],
  ['chunk data without its CRLF', chunked('5\r\nhello0\r\n\r\n'), 400],
  ['chunk data ended by CR CR LF', chunked('5\r\nhello\r\r\n0\r\n\r\n'), 400],
  ['a chunk extension that hides a line', chunked('5;\nGET / HTTP/1.1\r\nhello\r\n0\r\n\r\n'), 400],
  ['a last chunk ended by LF', chunked('5\r\nhello\r\n0\n\r\n'), 400],
  ['a last chunk with CR alone behind it', chunked('5\r\nhello\r\n0\r\n\rX\n'), 400],
  ['Host in the trailers with a blank before its colon', chunked('0\r\nHost : b\r\n\r\n'), 400],
  ['a trailer with a CR inside', chunked('0\r\nx: a\rb: c\r\n\r\n'), 400],
  // A target or version that two servers read in two ways.
  ['a NUL in the target', 'GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a vertical tab for a blank', 'GET\x0b/\x0bHTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a form feed behind the target', 'GET /\x0c HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a no-break space behind the target', 'GET /\xa0HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a request line in the target', 'GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a version with a leading zero', 'GET / HTTP/01.1\r\nHost: a\r\n\r\n', 400],
  ['a version with a blank', 'GET / HTTP/ 1.1\r\nHost: a\r\n\r\n', 400],
  ['a version without a minor number', 'GET / HTTP/1\r\nHost: a\r\n\r\n', 400],
  ['another protocol', 'GET / ICE/1.0\r\nHost: a\r\n\r\n', 400],
  ['a version with a dot behind it', 'GET / HTTP/1.1.\r\nHost: a\r\n\r\n', 400],
  ['a method in a field line', 'X: y\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  // A host that two servers read in two ways.
  ['Host twice, in two cases', 'GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n\r\n', 400],
  ['Host with a blank before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
  ['Host folded', 'GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n', 400],
  ['Host with an at sign', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n', 400],
  ['Host with a backslash', 'GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n', 400],
  ['Host with a number sign', 'GET / HTTP/1.1\r\nHost: a#b\r\n\r\n', 400],
  ['Host with NUL', 'GET / HTTP/1.1\r\nHost: a\x00b\r\n\r\n', 400],
  ['Host with a signed port', 'GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n', 400],
  ['an absolute target with two hosts', 'GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n', 400],
  ['an absolute target with a backslash', 'GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
];

/** What looks like the above and has one reading: the sentence, the bytes, and the body that is read. */
export const UNAMBIGUOUS_REQUESTS: readonly (readonly [sentence: string, bytes: string, body: string])[] = [
  [
    'Transfer-Encoding in other letters',
    'POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING: ChUnKeD\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'hello',
  ],
  [
    'Transfer-Encoding without a blank',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'hello',
  ],
  [
    'Transfer-Encoding with tabs around its value',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\t chunked \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    'hello',
  ],
  [
    'a chunk size with zeros before it',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n000\r\n\r\n',
    'hello',
  ],
  [
    'a chunk size in both cases',
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\naA\r\n${'x'.repeat(170)}\r\n0\r\n\r\n`,
    'x'.repeat(170),
  ],
  [
    'a chunk extension',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n',
    'hello',
  ],
  [
    'chunked as a content coding',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello',
    'hello',
  ],
  [
    'underscores for dashes',
    'POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 3\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello',
    'hello',
  ],
  [
    'a framing field in the value of another',
    'POST / HTTP/1.1\r\nHost: a\r\nX: Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello',
    'hello',
  ],
  [
    'a body that looks like a request',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n',
    'GET /x HTTP/1.1\r\nHost: b\r\n',
  ],
  ['a GET with a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  ['an empty line before the request', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', ''],
  ['no body where none is declared', 'POST / HTTP/1.1\r\nHost: a\r\n\r\n', ''],
];

function withTransferEncoding(
  rows: readonly (readonly [sentence: string, fields: string, status: number])[],
): (readonly [string, string, number])[] {
  return rows.map(([sentence, fields, status]) => [
    `Transfer-Encoding ${sentence}`,
    `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n0\r\n\r\n`,
    status,
  ]);
}

function withContentLength(
  rows: readonly (readonly [sentence: string, value: string])[],
): (readonly [string, string, number])[] {
  return rows.map(([sentence, value]) => [
    `Content-Length ${sentence}`,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${value}\r\n\r\nhello`,
    400,
  ]);
}

function chunked(body: string): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
}
