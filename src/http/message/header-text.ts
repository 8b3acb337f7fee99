const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * The text of a header value that came one character a byte: apps write UTF-8 (RFC 9110 5.5 knows no charset); bytes that
 * are not, as a TypeScript app's `headers.set(name, "café")`, are taken for Latin-1.
 */
export function headerText(value: string): string {
  // eslint-disable-next-line no-control-regex
  if (/^[\x00-\x7f]*$/.test(value)) return value
  try {
    return utf8.decode(Buffer.from(value, "latin1"))
  } catch {
    return value
  }
}
