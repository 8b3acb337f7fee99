/** Records in a zone of DNS, as proofs of certificates need them. */

/** Who writes records into a zone: what a plugin of kind "dns" gives. */
export interface DnsProvider {
  /**
   * Adds a TXT record beside others of the same name; resolves when the provider has taken it. `name` is the whole name without a dot
   * at its end ("_acme-challenge.example.com"), `value` at most 255 printable characters.
   */
  add(name: string, value: string, signal: AbortSignal): Promise<void>
  /** Takes that one record away and leaves others; no error when it is gone. */
  remove(name: string, value: string, signal: AbortSignal): Promise<void>
}
