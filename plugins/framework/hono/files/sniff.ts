/**
 * What a file is, by its first bytes. The type that a client claims is its own word: HTML sent as image/png is the attack.
 * Signatures: https://mimesniff.spec.whatwg.org/ section 6, and the formats' own specifications.
 */

/** How many bytes at the start of a file are enough. */
export const SNIFF_BYTES = 4096

const OCTETS = "application/octet-stream"

/** Signature in Latin-1 at an offset, and the type it tells. */
const SIGNATURES: readonly (readonly [offset: number, bytes: string, type: string])[] = [
  [0, "\x89PNG\r\n\x1a\n", "image/png"],
  [0, "\xff\xd8\xff", "image/jpeg"],
  [0, "GIF87a", "image/gif"],
  [0, "GIF89a", "image/gif"],
  [0, "BM", "image/bmp"],
  [0, "II*\0", "image/tiff"],
  [0, "MM\0*", "image/tiff"],
  [0, "%PDF-", "application/pdf"],
  [0, "PK\x03\x04", "application/zip"],
  [0, "PK\x05\x06", "application/zip"],
  [0, "\x1f\x8b", "application/gzip"],
  [0, "\x28\xb5\x2f\xfd", "application/zstd"],
  [0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"],
  [0, "OggS\0", "audio/ogg"],
  [0, "fLaC", "audio/flac"],
  [0, "ID3", "audio/mpeg"],
  [0, "\xff\xfb", "audio/mpeg"],
  [0, "\x1a\x45\xdf\xa3", "video/webm"],
  [0, "wOFF", "font/woff"],
  [0, "wOF2", "font/woff2"],
]

/** Brands of ISO media files (ISO/IEC 14496-12), bytes 8 to 11. */
const BRANDS: Readonly<Record<string, string>> = { avif: "image/avif", avis: "image/avif", heic: "image/heic", heix: "image/heic", mif1: "image/heic", "M4A ": "audio/mp4", "qt  ": "video/quicktime" }

/** Types that only the end of the name tells apart; the first bytes of both are the same. */
const REFINED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "application/zip": {
    docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    odt: "application/vnd.oasis.opendocument.text",
    ods: "application/vnd.oasis.opendocument.spreadsheet",
    epub: "application/epub+zip",
  },
  "text/plain": { csv: "text/csv", json: "application/json", md: "text/markdown", ics: "text/calendar" },
}

/** `head` is the first SNIFF_BYTES of the file, or all of it. */
export function sniff(head: Uint8Array, filename = ""): string {
  const found = bySignature(Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFF_BYTES)).toString("latin1")) ?? byText(head)
  const extension = /\.([a-z0-9]{1,8})$/i.exec(filename)?.[1]?.toLowerCase() ?? ""
  return REFINED[found]?.[extension] ?? found
}

function bySignature(text: string): string | undefined {
  if (text.startsWith("RIFF")) {
    const form = text.slice(8, 12)
    return form === "WEBP" ? "image/webp" : form === "WAVE" ? "audio/wav" : form === "AVI " ? "video/x-msvideo" : undefined
  }
  if (text.slice(4, 8) === "ftyp") return BRANDS[text.slice(8, 12)] ?? "video/mp4"
  return SIGNATURES.find(([offset, bytes]) => text.startsWith(bytes, offset))?.[2]
}

function byText(head: Uint8Array): string {
  if (head.byteLength === 0) return "text/plain"
  const utf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)
  // A browser that is let to sniff reads UTF-16 too; nothing here needs such a text to be shown.
  if (utf16) return OCTETS
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(Buffer.from(head).toString("latin1"))) return OCTETS
  let text: string
  try {
    // `stream`: the head may end within a character.
    text = new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true })
  } catch {
    return OCTETS
  }
  const start = text.replace(/^[\s\ufeff]*(?:<!--[\s\S]*?-->\s*)*/, "")
  if (/<svg[\s>/]/i.test(text) && start.startsWith("<")) return "image/svg+xml"
  if (/^<\?xml/i.test(start)) return "application/xml"
  if (/^<(?:!doctype|[a-z!/?])/i.test(start)) return "text/html"
  return "text/plain"
}

/** End of the name for a type, for keys: "png"; "bin" where none is known. */
export function extensionOf(type: string): string {
  const short = EXTENSIONS[type]
  if (short !== undefined) return short
  for (const known of Object.values(REFINED)) for (const [extension, refined] of Object.entries(known)) if (refined === type) return extension
  return "bin"
}

/** The type that a key's end stands for; keys are made by us, so the end can be trusted. */
export function typeOf(extension: string): string {
  for (const [type, known] of Object.entries(EXTENSIONS)) if (known === extension) return type
  for (const known of Object.values(REFINED)) if (known[extension] !== undefined) return known[extension]
  return OCTETS
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/gif": "gif",
  "image/webp": "webp",
  "image/avif": "avif",
  "image/heic": "heic",
  "image/bmp": "bmp",
  "image/tiff": "tiff",
  "image/svg+xml": "svg",
  "text/html": "html",
  "application/xml": "xml",
  "text/plain": "txt",
  "application/pdf": "pdf",
  "application/zip": "zip",
  "application/gzip": "gz",
  "application/zstd": "zst",
  "application/x-7z-compressed": "7z",
  "audio/mpeg": "mp3",
  "audio/ogg": "ogg",
  "audio/flac": "flac",
  "audio/wav": "wav",
  "audio/mp4": "m4a",
  "video/mp4": "mp4",
  "video/webm": "webm",
  "video/quicktime": "mov",
  "video/x-msvideo": "avi",
  "font/woff": "woff",
  "font/woff2": "woff2",
}
