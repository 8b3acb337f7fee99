import { checkOptions, type Shape } from "edge"
import { extension, isKey, makeKey } from "./keys.ts"
import { sniff, SNIFF_BYTES, typeOf } from "./sniff.ts"
import { type FileSource, type FileStorage, PUT, type PutOptions, type StoredFile } from "./storage.ts"

/** How long a link to a private bucket works, in seconds. */
const LINK_SECONDS = 3600

export interface S3Options extends Bun.S3Options {
  /** Where the bucket can be read by anybody ("https://cdn.example.com"); without it, links are signed and short-lived. */
  readonly publicUrl?: string
  /** Before every key in the bucket. */
  readonly prefix?: string
}

const OPTIONS: Shape<S3Options> = {
  publicUrl: "text", prefix: "text", acl: "text", bucket: "text", region: "text", accessKeyId: "text", secretAccessKey: "text", sessionToken: "text", endpoint: "text",
  virtualHostedStyle: "boolean", partSize: "number", queueSize: "number", retry: "number", type: "text", storageClass: "text",
  endings: "text", contentDisposition: "text", contentEncoding: "text", requestPayer: "boolean", highWaterMark: "number",
}

/** Files in a bucket of S3 or what speaks like it (MinIO, R2): for apps on more than one machine. */
export class S3Files implements FileStorage {
  readonly #client: Bun.S3Client
  readonly #publicUrl: string | undefined
  readonly #prefix: string

  /** Credentials that are not given come from S3_ACCESS_KEY_ID and the like, as Bun reads them. */
  constructor(options: S3Options = {}) {
    checkOptions("new S3Files()", options, OPTIONS)
    const { publicUrl, prefix, ...client } = options
    this.#client = new Bun.S3Client(client)
    this.#publicUrl = publicUrl?.replace(/\/+$/, "")
    this.#prefix = prefix === undefined ? "" : `${prefix.replace(/\/+$/, "")}/`
  }

  async put(source: FileSource, options: PutOptions = {}): Promise<string> {
    checkOptions("files().put()", options, PUT)
    const blob = source instanceof Uint8Array ? new Blob([source as Uint8Array<ArrayBuffer>]) : "path" in source ? Bun.file(source.path) : source
    const type = options.type ?? sniff(new Uint8Array(await blob.slice(0, SNIFF_BYTES).arrayBuffer()), options.name)
    const key = makeKey(type, options.name)
    await this.#client.write(this.#prefix + key, blob as Blob, { type: isActive(type) ? "application/octet-stream" : type })
    return key
  }

  async open(key: string): Promise<StoredFile | null> {
    if (!isKey(key)) return null
    const file = this.#client.file(this.#prefix + key)
    try {
      const { size, lastModified } = await file.stat()
      return { size, type: typeOf(extension(key)), modified: lastModified, slice: (start, end) => (start === 0 && end === size ? file : file.slice(start, end)) }
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === "NoSuchKey" || code === "NotFound" || code === "ERR_S3_FILE_NOT_FOUND" || /not found|404/i.test(String(error))) return null
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    if (isKey(key)) await this.#client.delete(this.#prefix + key)
  }

  url(key: string): string {
    if (this.#publicUrl !== undefined) return `${this.#publicUrl}/${this.#prefix}${key}`
    return this.#client.presign(this.#prefix + key, { expiresIn: LINK_SECONDS })
  }
}

/** What a bucket's own web server would let run. */
function isActive(type: string): boolean {
  return type === "text/html" || type === "image/svg+xml" || type === "application/xml"
}
