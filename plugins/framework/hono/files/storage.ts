import type { Shape } from "edge"
/** What is kept of a file beside its bytes. */
export interface FileFacts {
  /** In bytes. */
  readonly size: number
  readonly type: string
  readonly modified: Date
}

export interface StoredFile extends FileFacts {
  /** Its bytes, `end` not included; lazily. */
  slice(start: number, end: number): Blob
}

/** Bytes to be kept: in memory, or a file on disk that may be moved away. */
export type FileSource = Blob | Uint8Array | { readonly path: string; readonly size: number }

export interface PutOptions {
  /** Name the file had; only its letters and digits go into the key. */
  readonly name?: string
  /** As found from its bytes (sniff); default found here. */
  readonly type?: string
}

export const PUT: Shape<PutOptions> = { name: "text", type: "text" }

/** Where an app keeps the files that people upload. A key is what a `file` or `image` field holds. */
export interface FileStorage {
  put(source: FileSource, options?: PutOptions): Promise<string>
  /** Null when there is none, or when the key is none of ours. */
  open(key: string): Promise<StoredFile | null>
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>
  /** Where a browser finds it; `width` in pixels asks for a smaller picture. */
  url(key: string, options?: { width?: number }): string
  /** Folder on the same disk for uploads under way; undefined where there is none. */
  readonly tempDir?: string
}

let current: (() => FileStorage | undefined) | undefined

/** The storage that file fields use, or who says which; the app sets it. */
export function useFiles(storage: FileStorage | (() => FileStorage | undefined) | undefined): void {
  current = storage === undefined || typeof storage === "function" ? storage : () => storage
}

export function files(): FileStorage {
  const found = filesIfAny()
  if (found === undefined) throw new Error("no file storage: the app has one once it is started, or call useFiles(new LocalFiles({ dir }))")
  return found
}

/** The storage, where it is no fault to have none. */
export function filesIfAny(): FileStorage | undefined {
  return current?.()
}
