/** Pages of words that the fronts of one edge share (Context.page): files under Bun.mmap in a folder of the supervisor's. */
import { closeSync, constants, fstatSync, openSync } from "node:fs"
import { join } from "node:path"
import type { FrontPage } from "../contract/web.ts"
import { allocate } from "../system/allocate.ts"

export interface DeclaredPage {
  readonly name: string
  readonly words: number
}

/** Name of a page's file; another size is another page, so that an old front's is never cut under it. */
export function pageFile({ name, words }: DeclaredPage): string {
  return new Bun.CryptoHasher("sha256").update(`${words} ${name}`).digest("hex").slice(0, 32)
}

export class FrontPages {
  readonly #place: { readonly folder: string; readonly front: number } | undefined
  readonly #pages = new Map<string, MappedPage>()

  /** Without a place (`edge check`, tests) every page is this process's own. */
  constructor(place: { readonly folder: string; readonly front: number } | undefined) {
    this.#place = place
  }

  get declared(): readonly DeclaredPage[] {
    return [...this.#pages.values()].map(({ name, size }) => ({ name, words: size }))
  }

  declare(name: string, words: number): FrontPage {
    const key = `${words} ${name}`
    let page = this.#pages.get(key)
    if (page === undefined) this.#pages.set(key, (page = new MappedPage(name, words, this.#place)))
    return page
  }
}

class MappedPage implements FrontPage {
  readonly front: number
  readonly #folder: string | undefined
  #words: Int32Array | undefined

  constructor(
    readonly name: string,
    readonly size: number,
    place: { readonly folder: string; readonly front: number } | undefined,
  ) {
    this.front = place?.front ?? 0
    this.#folder = place?.folder
  }

  get words(): Int32Array {
    return (this.#words ??= this.#folder === undefined ? new Int32Array(new SharedArrayBuffer(this.size * 4)) : this.#map(this.#folder))
  }

  /** Whichever front comes first makes the file; growing it to the size it has already changes nothing. */
  #map(folder: string): Int32Array {
    const path = join(folder, pageFile({ name: this.name, words: this.size }))
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    try {
      if (fstatSync(fd).size < this.size * 4) allocate(fd, this.size * 4)
    } finally {
      closeSync(fd)
    }
    const bytes = Bun.mmap(path, { shared: true })
    return new Int32Array(bytes.buffer, bytes.byteOffset, this.size)
  }
}
