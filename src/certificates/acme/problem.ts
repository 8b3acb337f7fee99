/** What an authority says when it refuses (RFC 8555, 6.7; RFC 9457), kept whole: its words are what the operator needs. */
export interface ProblemDocument {
  /** `urn:ietf:params:acme:error:NAME`, or another URI. */
  readonly type?: string
  readonly detail?: string
  readonly status?: number
  readonly subproblems?: readonly (ProblemDocument & { readonly identifier?: { readonly type: string; readonly value: string } })[]
}

const PREFIX = "urn:ietf:params:acme:error:"

export class AcmeError extends Error {
  override readonly name = "AcmeError"
  /** `rateLimited`, `unauthorized`, `malformed`, ...; "" when the answer was no problem document. */
  readonly type: string
  /** HTTP status of the answer. */
  readonly status: number
  /** How long the authority asks to be left alone; undefined when it does not say. */
  readonly retryAfterMs: number | undefined
  readonly document: ProblemDocument

  constructor(document: ProblemDocument, { status, url, retryAfterMs }: { status: number; url: string; retryAfterMs?: number | undefined }) {
    super(words(document, { status, url }))
    this.type = nameOf(document)
    this.status = status
    this.retryAfterMs = retryAfterMs
    this.document = document
  }

  /** The authority's trouble, not the request's: the same again may go well. */
  get isTemporary(): boolean {
    return this.status >= 500 || this.type === "serverInternal" || this.type === "rateLimited" || this.status === 429
  }
}

function nameOf({ type = "" }: ProblemDocument): string {
  return type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type === "about:blank" ? "" : type
}

function words(document: ProblemDocument, { status, url }: { status: number; url: string }): string {
  const detail = document.detail ?? `HTTP status ${status}`
  const parts = (document.subproblems ?? []).map(({ identifier, ...part }) => `${identifier?.value ?? "?"}: ${part.detail ?? nameOf(part)}`)
  const of = parts.length > 0 ? ` (${parts.join("; ")})` : ""
  const type = nameOf(document)
  return `${new URL(url).host} says: ${detail}${of}${type === "" ? "" : ` [${type}]`}`
}
