/** The account at an authority: found or made, bound, its key changed, closed. */
import { type AccountKey, bindExternal, sign } from "./jose.ts"
import type { ExternalAccount } from "../../contract/certificates.ts"
import { AcmeError } from "./problem.ts"
import type { Signer, Transport } from "./transport.ts"

export interface AccountOptions {
  readonly key: AccountKey
  /** Addresses to be told of trouble at. */
  readonly emails: readonly string[]
  /** Credentials that the authority gave out of band; needed where its directory says externalAccountRequired. */
  readonly external?: ExternalAccount
}

/** Who signs from now on. Making an account that is there already finds it (RFC 8555, 7.3.1). */
export async function openAccount(transport: Transport, { key, emails, external }: AccountOptions, signal?: AbortSignal): Promise<Required<Signer>> {
  const { newAccount, meta } = await transport.directory(signal)
  if (meta?.externalAccountRequired === true && external === undefined) {
    throw new Error(`${new URL(newAccount).host} wants credentials for an account (eab = { kid, hmac_key }), as it gives its customers`)
  }
  const payload = {
    termsOfServiceAgreed: true,
    ...(emails.length > 0 && { contact: emails.map(email => `mailto:${email}`) }),
    ...(external !== undefined && { externalAccountBinding: bindExternal(external, key, newAccount) }),
  }
  const { headers } = await transport.post(newAccount, payload, { key }, signal)
  const kid = headers.get("location")
  if (kid === null) throw new Error(`${newAccount} made an account and did not say where it is (no Location)`)
  return { key, kid }
}

/** The account of a key, without making one; undefined when there is none (RFC 8555, 7.3.1). */
export async function findAccount(transport: Transport, key: AccountKey, signal?: AbortSignal): Promise<Required<Signer> | undefined> {
  const { newAccount } = await transport.directory(signal)
  try {
    const { headers } = await transport.post(newAccount, { onlyReturnExisting: true }, { key }, signal)
    return { key, kid: headers.get("location") ?? "" }
  } catch (error) {
    if (error instanceof AcmeError && error.type === "accountDoesNotExist") return undefined
    throw error
  }
}

/** RFC 8555, 7.3.5: the new key signs that it takes the place of the old one, which signs the whole. */
export async function changeKey(transport: Transport, signer: Required<Signer>, key: AccountKey, signal?: AbortSignal): Promise<Required<Signer>> {
  const { keyChange } = await transport.directory(signal)
  const inner = await sign({ account: signer.kid, oldKey: signer.key.jwk }, { url: keyChange }, key)
  await transport.post(keyChange, inner, signer, signal)
  return { key, kid: signer.kid }
}
